"""Putting dead letters back into the queue, as a careful operator does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Long enough to put ten messages back, short enough not to wait for what somebody left half-way.
_HIDDEN_SECONDS = 5


class Killed(BaseException):
    """The operator's tool was ended in the middle."""


def redrive(
    sqs: Any, dlq_url: str, queue_url: str, wanted: Callable[[str], bool], killed_after: int | None = None
) -> int:
    """Put every message whose body is wanted back; return how many.

    First into the queue and then out of the dead-letter queue: whoever is interrupted between the two, or does it at
    the same time as somebody else, leaves a duplicate and never a gap. With `killed_after` that happens at the message
    after so many: Killed is raised.
    """
    returned = 0
    with _taken_from(sqs, dlq_url) as batches:
        for message in batches:
            if not wanted(message["Body"]):
                continue
            sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"])
            if returned == killed_after:
                raise Killed
            sqs.delete_message(QueueUrl=dlq_url, ReceiptHandle=message["ReceiptHandle"])
            returned += 1
    return returned


def all_bodies(sqs: Any, dlq_url: str) -> list[str]:
    """Return the body of every message and leave all of them there."""
    with _taken_from(sqs, dlq_url) as messages:
        return [message["Body"] for message in messages]


@contextmanager
def _taken_from(sqs: Any, url: str) -> Iterator[Iterator[Any]]:
    """Yield every message of a queue once, and show those that are left to others again; unless killed."""
    taken: dict[str, Any] = {}

    def messages() -> Iterator[Any]:
        while True:
            received = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_SECONDS, WaitTimeSeconds=0
            ).get("Messages", [])
            new = [message for message in received if message["MessageId"] not in taken]
            taken.update({message["MessageId"]: message for message in received})
            if not new:
                return
            yield from new

    yield messages()
    for message in taken.values():
        # Deleted by now, or received by somebody else: then it is not ours to show.
        with suppress(sqs.exceptions.ReceiptHandleIsInvalid, sqs.exceptions.MessageNotInflight):
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
