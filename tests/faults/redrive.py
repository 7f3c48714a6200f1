"""Redrive dead letters without losing any."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Enough to redrive ten messages; an interrupted redrive delays the next one by as much.
_VISIBILITY_SECONDS = 5


class Killed(BaseException):
    """The redrive was killed."""


def redrive(
    sqs: Any, dlq_url: str, queue_url: str, is_wanted: Callable[[str], bool], killed_after: int | None = None
) -> int:
    """Move every message whose body is wanted to the queue; return how many.

    Each message is sent before it is deleted, so an interrupted or concurrent redrive can duplicate a message but
    not lose it. With `killed_after`, raise Killed between the two calls, after that many messages.
    """
    moved = 0
    with _messages_of(sqs, dlq_url) as messages:
        for message in messages:
            if not is_wanted(message["Body"]):
                continue
            sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"])
            if moved == killed_after:
                raise Killed
            sqs.delete_message(QueueUrl=dlq_url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def all_bodies(sqs: Any, queue_url: str) -> list[str]:
    """Return the body of every message, and leave all in the queue."""
    with _messages_of(sqs, queue_url) as messages:
        return [message["Body"] for message in messages]


@contextmanager
def _messages_of(sqs: Any, url: str) -> Iterator[Iterator[Any]]:
    """Yield each message once; at the end, make those that were not deleted visible again."""
    received: dict[str, Any] = {}

    def messages() -> Iterator[Any]:
        while batch := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_VISIBILITY_SECONDS, WaitTimeSeconds=0
        ).get("Messages"):
            new = [message for message in batch if message["MessageId"] not in received]
            received.update({message["MessageId"]: message for message in batch})
            if not new:
                return
            yield from new

    yield messages()
    for message in received.values():
        # The message was deleted, or another reader has received it.
        with suppress(sqs.exceptions.ReceiptHandleIsInvalid, sqs.exceptions.MessageNotInflight):
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
