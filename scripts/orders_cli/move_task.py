"""Bringing a whole dead-letter queue back by SQS's own move task, where there is one.

It runs in SQS and not here, so it goes on when this process is killed; the next run finds it and follows it.
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from orders_cli.console import Advance
from orders_cli.errors import OperatorError, error_code

# The fastest that a task can be told to be.
FASTEST = 500

_POLL_SECONDS = 1.0

# How services say that they have no such thing: emulators of SQS, and SQS itself where a queue does not admit it.
_NO_SUCH_ACTION = frozenset(
    {
        "AWS.SimpleQueueService.UnsupportedOperation",
        "InvalidAction",
        "NotImplemented",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
    }
)


class MoveTaskUnavailableError(Exception):
    """This service cannot move a queue by itself."""


def move_all(
    sqs: Any,
    *,
    source_arn: str,
    target_arn: str,
    rate: float | None,
    advance: Advance,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Have SQS move all messages of a dead-letter queue, and return how many it has moved.

    A task that runs already is followed. An interruption cancels the task; what it has moved stays moved. Raises
    MoveTaskUnavailableError where the service has no such tasks, with nothing done, and OperatorError where the task
    fails.
    """
    former = _newest(sqs, source_arn)
    if former is not None and former["Status"] == "RUNNING":
        handle, former = former["TaskHandle"], None
    else:
        handle = _start(sqs, source_arn, target_arn, rate)
    try:
        return _follow(sqs, source_arn, former, advance, sleep)
    except KeyboardInterrupt:
        # It may have ended in this moment.
        with suppress(ClientError):
            sqs.cancel_message_move_task(TaskHandle=handle)
        raise


def _start(sqs: Any, source_arn: str, target_arn: str, rate: float | None) -> str:
    limit = {} if rate is None else {"MaxNumberOfMessagesPerSecond": max(1, min(int(rate), FASTEST))}
    answer = _or_unavailable(
        lambda: sqs.start_message_move_task(SourceArn=source_arn, DestinationArn=target_arn, **limit)
    )
    return str(answer["TaskHandle"])


def _newest(sqs: Any, source_arn: str) -> dict[str, Any] | None:
    """Return the queue's newest task; there is at most one that is not over."""
    answer = _or_unavailable(lambda: sqs.list_message_move_tasks(SourceArn=source_arn, MaxResults=1))
    return next(iter(answer.get("Results", [])), None)


def _follow(
    sqs: Any, source_arn: str, former: dict[str, Any] | None, advance: Advance, sleep: Callable[[float], None]
) -> int:
    moved = 0
    while True:
        task = _newest(sqs, source_arn)
        # A new task may take a moment to be listed. One that is over has no handle, so its start tells it apart.
        if task is not None and (former is None or task["StartedTimestamp"] != former["StartedTimestamp"]):
            now_moved = int(task.get("ApproximateNumberOfMessagesMoved", moved))
            advance(now_moved - moved)
            moved = now_moved
            if task["Status"] == "COMPLETED":
                return moved
            if task["Status"] == "FAILED":
                raise OperatorError(
                    f"SQS gave up moving after {moved} messages ({task.get('FailureReason', 'no reason given')}); the "
                    "others are still in the dead-letter queue. Run this again."
                )
            if task["Status"] in ("CANCELLED", "CANCELLING"):
                raise OperatorError(
                    f"Somebody has cancelled the move after {moved} messages; the others are still in the dead-letter "
                    "queue. Run this again to move them."
                )
        sleep(_POLL_SECONDS)


def _or_unavailable(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if error_code(error) in _NO_SUCH_ACTION:
            raise MoveTaskUnavailableError from error
        raise
