"""Serialize changes of a queue between threads, where ministack 1.5.33 loses messages.

ministack serves requests in one thread and polls for the functions in others. Deleting a message rebuilds the queue's
list. This loses an acknowledged message that another thread appends in the meantime. Here every function that changes
a queue holds ministack's own lock, which only its pollers hold otherwise.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html ("Message durability and
availability")
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import sns, sqs

# Synchronous handlers. ReceiveMessage is not listed because it waits for messages; its steps hold the lock instead.
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


def patch() -> None:
    """Make each change of a queue atomic for other threads."""
    # Reentrant, because the steps call each other.
    sqs._queues_lock = threading.RLock()
    for action in _ACTIONS:
        sqs._HANDLERS[action] = holding_the_lock(sqs._HANDLERS[action])
    for step in (*_STEPS, "get_state"):
        setattr(sqs, step, holding_the_lock(getattr(sqs, step)))
    sns._deliver_to_sqs = holding_the_lock(sns._deliver_to_sqs)


def holding_the_lock(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` wrapped to hold the lock of the queues."""

    @functools.wraps(function)
    def locked(*arguments: Any, **more: Any) -> Any:
        with sqs._queues_lock:
            return function(*arguments, **more)

    return locked
