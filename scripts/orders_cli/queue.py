"""SQS queues: count messages, peek at them and move them without loss.

A message is deleted only after it was sent to another queue or written to a file. So a run that is killed loses
nothing, and the next run does the rest. A message that is moved twice is harmless: its order is stored once.
"""

import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar

from orders_cli.console import Advance

Item = TypeVar("Item")
Read = TypeVar("Read")

# SQS's limits for a batch: entries, and bytes of all of them together (the smaller figure, valid until 2025).
BATCH_SIZE = 10
_BATCH_BYTES = 256 * 1024

_RECEIVERS = 8

# A long poll queries every SQS server, so an empty response is reliable.
_WAIT_SECONDS = 1
_EMPTY_ROUNDS = 3
_SHORTEST_VISIBILITY_SECONDS = 60
_LONGEST_VISIBILITY_SECONDS = 12 * 60 * 60
_SLOWEST_RECEIVES_PER_SECOND = 50
# For the first message until its visibility timeout is changed, and for a few messages being moved.
_SHORT_VISIBILITY_SECONDS = 15

Message = Mapping[str, Any]
"""A message as SQS returns it."""

Transfer = Callable[[Sequence[Message]], Sequence[Message]]
"""Stores messages elsewhere and returns those that were stored."""


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds, as SQS counts them: approximate, and up to a minute late."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True)
class Queue:
    sqs: Any
    url: str

    def depth(self) -> Depth:
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return Depth(*(int(attributes[name]) for name in names))

    def receive(self, number: int, visibility_seconds: int) -> list[Message]:
        response = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=number,
            VisibilityTimeout=visibility_seconds,
            WaitTimeSeconds=_WAIT_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return list(response.get("Messages", []))

    def change_visibility(self, receipt_handles: Sequence[str], seconds: int) -> None:
        def change(handles: list[str]) -> None:
            call = self.sqs.change_message_visibility_batch
            self._call(call, [handles], lambda handle: {"ReceiptHandle": handle, "VisibilityTimeout": seconds})

        with ThreadPoolExecutor(_RECEIVERS) as pool:
            list(_started(pool, change, batches(receipt_handles)))

    def send(self, messages: Sequence[Message]) -> list[Message]:
        """Send the bodies of at most ten messages; return the messages that SQS accepted."""
        size = sum(len(message["Body"].encode()) for message in messages)
        parts = batches(messages, BATCH_SIZE if size <= _BATCH_BYTES else 1)
        return self._call(self.sqs.send_message_batch, parts, lambda message: {"MessageBody": message["Body"]})

    def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Delete messages; return those that SQS deleted."""
        call, parts = self.sqs.delete_message_batch, batches(messages)
        return self._call(call, parts, lambda message: {"ReceiptHandle": message["ReceiptHandle"]})

    def _call(
        self, call: Callable[..., Any], parts: Iterable[list[Item]], entry: Callable[[Item], dict[str, Any]]
    ) -> list[Item]:
        """Make a batch call for each part, with an entry for each item; return the items that were successful."""
        done: list[Item] = []
        for part in parts:
            entries = [{"Id": str(place), **entry(item)} for place, item in enumerate(part)]
            response = call(QueueUrl=self.url, Entries=entries)
            done += [part[int(success["Id"])] for success in response.get("Successful", [])]
        return done


def _started(pool: ThreadPoolExecutor, call: Callable[[Item], Read], items: Iterable[Item]) -> Iterator[Read]:
    """Start a call for each item, without being interrupted by a signal.

    An executor does not wait for a thread whose start was interrupted: the messages that it receives would stay hidden.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        return pool.map(call, items)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def batches(items: Iterable[Item], size: int = BATCH_SIZE) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class Sweep:
    """One pass over all visible messages of a queue. At its end, messages that were not deleted are visible again.

    `number` messages are to be moved, each in `seconds_each`. If the process is killed, SQS makes the messages visible
    after a timeout that is at least a minute, and long enough to receive all messages and to move these.
    """

    def __init__(self, queue: Queue, *, number: int = 0, seconds_each: float = 0.0) -> None:
        self._queue = queue
        self._start = queue.depth()
        visible, self._receivers = self._start.visible, _RECEIVERS
        seconds = _SHORTEST_VISIBILITY_SECONDS + visible / _SLOWEST_RECEIVES_PER_SECOND + number * seconds_each
        # To move all messages, receive ten at a time: only these stay hidden if this process is killed.
        if number >= max(visible, 1):
            self._receivers, seconds = 1, _SHORT_VISIBILITY_SECONDS + BATCH_SIZE * seconds_each
        self._visibility_seconds = min(int(seconds), _LONGEST_VISIBILITY_SECONDS)
        self._seen: set[str] = set()
        # Receipt handles of all hidden messages, including those of an interrupted receive.
        self._handles: dict[str, str] = {}

    def __enter__(self) -> "Sweep":
        return self

    def __exit__(self, *_: object) -> None:
        """Make every message visible that was not deleted."""
        self._queue.change_visibility(list(self._handles.values()), 0)

    def __iter__(self) -> Iterator[list[Message]]:
        # Receive one message first: a caller without ChangeMessageVisibility must not hide the whole queue.
        first = self._new(self._receive(1, _SHORT_VISIBILITY_SECONDS))
        self._queue.change_visibility(list(self._handles.values()), self._visibility_seconds)
        if first:
            yield first
        expected, empty_rounds = self._start.visible, int(not first)
        with ThreadPoolExecutor(self._receivers) as pool:
            # SQS's counts lag, so a count of zero ends the pass only after an empty receive.
            while not (empty_rounds and (empty_rounds == _EMPTY_ROUNDS or self._queue.depth().visible == 0)):
                busy = max(1, min(self._receivers, -(-(expected - len(self._seen)) // BATCH_SIZE)))
                received = _started(pool, lambda _: self._receive(BATCH_SIZE, self._visibility_seconds), range(busy))
                new = self._new(chain.from_iterable(received))
                empty_rounds = 0 if new else empty_rounds + 1
                if new:
                    yield new
                if len(self._seen) >= expected:
                    expected = len(self._seen) + self._queue.depth().visible

    def _receive(self, number: int, visibility_seconds: int) -> list[Message]:
        messages = self._queue.receive(number, visibility_seconds)
        # SQS may deliver a message twice. Only the newest receipt handle can then make it visible again.
        self._handles |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        return messages

    def _new(self, messages: Iterable[Message]) -> list[Message]:
        new = {m["MessageId"]: m for m in messages if m["MessageId"] not in self._seen}
        self._seen |= new.keys()
        return list(new.values())

    @property
    def hidden(self) -> int:
        """The number of messages that other readers have in flight, according to SQS's counts."""
        if self._start.total <= len(self._seen):
            return 0
        return max(0, min(self._start.total, self._queue.depth().total) - len(self._seen))

    def delete(self, messages: Sequence[Message]) -> int:
        deleted = self._queue.delete(messages)
        for message in deleted:
            self._handles.pop(message["MessageId"], None)
        return len(deleted)


def peek(queue: Queue, read: Callable[[Message], Read], advance: Advance = lambda _: None) -> tuple[list[Read], int]:
    """Return what `read` returns for each visible message, and how many more are hidden."""
    found: list[Read] = []
    with Sweep(queue) as sweep:
        for batch in sweep:
            found += map(read, batch)
            advance(len(batch))
        return found, sweep.hidden


class RateLimit:
    """Limits how many messages pass per second. `seconds_each` is how long one takes."""

    def __init__(self, per_second: float | None = None, *, step: int = BATCH_SIZE, seconds_each: float = 0.0) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self.seconds_each = self._interval + seconds_each
        # Messages pass in batches, or in smaller groups if a batch would take more than a second.
        self.step = max(1, min(step, int(per_second or step)))
        self._next = time.monotonic()

    def batches(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """Yield batches of items, each as soon as the limit allows."""
        for batch in batches(items, self.step):
            now = time.monotonic()
            time.sleep(max(0.0, self._next - now))
            self._next = max(self._next, now) + self._interval * len(batch)
            yield batch


def move(message_ids: AbstractSet[str], source: Queue, transfer: Transfer, rate_limit: RateLimit) -> Generator[int]:
    """Delete the messages with these ids from `source`, each after `transfer` has stored it; yield their numbers.

    A message that returns to `source` has a new id, so it is not moved again.
    """
    remaining = set(message_ids)
    with Sweep(source, number=len(message_ids), seconds_each=rate_limit.seconds_each) as sweep:
        for batch in sweep:
            wanted = [message for message in batch if message["MessageId"] in remaining]
            for messages in rate_limit.batches(wanted):
                yield sweep.delete(transfer(messages))
            remaining -= {message["MessageId"] for message in wanted}
            if not remaining:
                break
