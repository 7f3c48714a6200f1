"""SQS queues as an operator handles them: counted, looked through without loss, moved with care."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

# SQS's limits for a batch: entries, and bytes of all of them together (the smaller figure, which it had until 2025).
BATCH_SIZE = 10
_BATCH_BYTES = 256 * 1024

# How many receive at once where a queue is to be seen as a whole.
RECEIVERS = 8

# A receive that waits asks every server of SQS and not only some, so that "nothing" can be believed.
_WAIT_SECONDS = 1
_EMPTY_ROUNDS = 3
_SHORTEST_HIDING_SECONDS = 60
_LONGEST_HIDING_SECONDS = 12 * 60 * 60
_SLOWEST_RECEIVES_A_SECOND = 50

Message = Mapping[str, Any]
"""A message as SQS hands it out."""


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds, as SQS counts them: about right, and exact once a minute has gone by."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed


class Queue:
    """One queue."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self._attributes("QueueArn")["QueueArn"])

    def depth(self) -> Depth:
        """Return how many messages it holds."""
        names = {
            "visible": "ApproximateNumberOfMessages",
            "in_flight": "ApproximateNumberOfMessagesNotVisible",
            "delayed": "ApproximateNumberOfMessagesDelayed",
        }
        attributes = self._attributes(*names.values())
        return Depth(**{field: int(attributes[name]) for field, name in names.items()})

    def receives_before_giving_up(self) -> int:
        """Return after how many receives SQS moves a message to the dead-letter queue."""
        return int(json.loads(self._attributes("RedrivePolicy")["RedrivePolicy"])["maxReceiveCount"])

    def _attributes(self, *names: str) -> dict[str, str]:
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(names))
        attributes: dict[str, str] = answer["Attributes"]
        return attributes

    def sweep(self, *, receivers: int = RECEIVERS, hiding_seconds: float | None = None) -> Iterator[list[Message]]:
        """Yield every message that is visible, each once, a few at a time, and leave them all hidden.

        Who sweeps must `release` what is not deleted. Should that never happen, because the process was killed, SQS
        shows the messages again by itself after `hiding_seconds`; left out, that is as long as it takes to see all of
        them, a minute at least. `receivers` are at work at once, each with ten messages at most.
        """
        visible = self.depth().visible
        if hiding_seconds is None:
            hiding_seconds = seconds_to_see(visible)
        hiding = min(int(hiding_seconds), _LONGEST_HIDING_SECONDS)
        seen: set[str] = set()
        again: list[str] = []
        rounds_without_news = 0
        with ThreadPoolExecutor(receivers) as pool:
            while rounds_without_news < _EMPTY_ROUNDS:
                # A look at the count is shorter than a wait for nothing, and nobody sees the messages meanwhile.
                if len(seen) >= visible:
                    visible = len(seen) + self.depth().visible
                if len(seen) == visible:
                    break
                # No more than there is to find: one that finds nothing waits.
                busy = max(1, min(receivers, -(-(visible - len(seen)) // BATCH_SIZE)))
                new = []
                for message in chain.from_iterable(pool.map(lambda _: self._receive(hiding), range(busy))):
                    if message["MessageId"] in seen:
                        # SQS may hand out a message twice; then only the newest receipt makes it visible again.
                        again.append(message["ReceiptHandle"])
                    else:
                        new.append(message)
                        seen.add(message["MessageId"])
                rounds_without_news = 0 if new else rounds_without_news + 1
                if new:
                    yield new
        self.release(again)

    def _receive(self, hiding_seconds: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH_SIZE,
            VisibilityTimeout=hiding_seconds,
            WaitTimeSeconds=_WAIT_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def release(self, receipt_handles: Sequence[str]) -> None:
        """Make received messages visible again; what cannot be, shows by itself in time."""

        def release(handles: Sequence[str]) -> None:
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for place, handle in enumerate(handles)
                ],
            )

        batches = [receipt_handles[start : start + BATCH_SIZE] for start in range(0, len(receipt_handles), BATCH_SIZE)]
        if batches:
            with ThreadPoolExecutor(min(RECEIVERS, len(batches))) as pool:
                list(pool.map(release, batches))

    def send(self, messages: Sequence[Message]) -> list[Message]:
        """Put copies of messages on this queue; return those that SQS has confirmed to have."""
        sent = []
        for batch in _batches(messages):
            answer = self._sqs.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": message["Body"],
                        **({"MessageAttributes": _sendable(message)} if message.get("MessageAttributes") else {}),
                    }
                    for place, message in enumerate(batch)
                ],
            )
            sent += [batch[int(success["Id"])] for success in answer.get("Successful", [])]
        return sent

    def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Delete received messages; return those that SQS has confirmed to be gone."""
        deleted = []
        for start in range(0, len(messages), BATCH_SIZE):
            batch = messages[start : start + BATCH_SIZE]
            answer = self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(batch)
                ],
            )
            deleted += [batch[int(success["Id"])] for success in answer.get("Successful", [])]
        return deleted


def seconds_to_see(number: int) -> float:
    """Return for how long messages must be hidden so that none shows again before all are seen."""
    return _SHORTEST_HIDING_SECONDS + number / _SLOWEST_RECEIVES_A_SECOND


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        # An ASCII body has as many bytes as characters, any other at most four times as many.
        length = len(message["Body"].encode()) + sum(
            len(name) + len(str(value)) for name, value in message.get("MessageAttributes", {}).items()
        )
        if batch and (len(batch) == BATCH_SIZE or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch


def _sendable(message: Message) -> dict[str, dict[str, Any]]:
    return {
        name: {field: value[field] for field in ("DataType", "StringValue", "BinaryValue") if field in value}
        for name, value in message["MessageAttributes"].items()
    }


class Pace:
    """Lets so many messages a second pass."""

    def __init__(
        self,
        a_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._a_second = a_second
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    @property
    def step(self) -> int:
        """How many to let pass at once: a batch, or fewer where a batch would take more than a second."""
        return BATCH_SIZE if self._a_second is None else max(1, min(BATCH_SIZE, int(self._a_second)))

    def seconds_for(self, number: int) -> float:
        """Return how long it takes until `number` have passed."""
        return 0.0 if self._a_second is None else number / self._a_second

    def wait(self, number: int) -> None:
        """Wait until `number` more may pass."""
        if self._a_second is None:
            return
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + self.seconds_for(number)
