"""Serialize changes of a queue between threads, where ministack 1.5.33 loses messages.

ministack serves requests in one thread and polls for the functions in others. Removing a message rebuilds the queue's
list; a message that another thread has appended in between, and that SQS has acknowledged, is lost.
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html ("Message
durability and availability")

Here every function that changes a queue holds ministack's own lock, which otherwise only its pollers hold.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import sns, sqs

# Each is synchronous. ReceiveMessage waits for messages and is not; it uses the last three.
_ACTIONS = (
    "SendMessage",
    "SendMessageBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "GetQueueAttributes",
    "PurgeQueue",
)
_STEPS = ("_expire_retained", "_dlq_sweep", "_collect_msgs")


def patch_queues() -> None:
    """Make each change of a queue one step for all other threads."""
    # One that its holder may take again, since the steps are parts of each other.
    sqs._queues_lock = threading.RLock()
    for action in _ACTIONS:
        sqs._HANDLERS[action] = holding_the_lock(sqs._HANDLERS[action])
    for step in _STEPS:
        setattr(sqs, step, holding_the_lock(getattr(sqs, step)))
    sqs.get_state = holding_the_lock(sqs.get_state)
    sns._deliver_to_sqs = holding_the_lock(sns._deliver_to_sqs)


def holding_the_lock(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` such that no other thread touches a queue while it runs."""

    @functools.wraps(function)
    def locked(*arguments: Any, **more: Any) -> Any:
        with sqs._queues_lock:
            return function(*arguments, **more)

    return locked
