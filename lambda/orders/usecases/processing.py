"""Processing: queue messages become stored orders, each one exactly once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from orders.domain.errors import MessageUnreadableError
from orders.domain.insertion import AlreadyThere, Inserted, Insertion
from orders.domain.message import read_message
from orders.domain.order import ProcessedOrder, SubmittedOrder
from orders.domain.timestamp import format_timestamp


class OrderStore(Protocol):
    """Where processed orders are kept, at most one under each id."""

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, Insertion]:
        """Store each order whose id is new and tell for each id what came of it.

        The ids are distinct. Never overwrites. Raises StoreUnavailableError where the store refused
        or did not answer as a whole; any of the orders may then be stored.
        """


@dataclass(frozen=True)
class QueueMessage:
    """A message as the queue delivers it."""

    message_id: str
    body: str


class Result(Enum):
    """What came of a message. The first two settle it; the others leave it to the queue's redrive."""

    STORED = "order_stored"
    DUPLICATE = "order_duplicate"
    CONFLICT = "order_conflict"
    FAILED = "order_failed"


@dataclass(frozen=True)
class Outcome:
    """What came of one message; `submitted` is None where the message could not be read."""

    message_id: str
    result: Result
    submitted: SubmittedOrder | None
    reason: str | None = None

    @property
    def settled(self) -> bool:
        """Whether the order is safe in the table, so that its message may go."""
        return self.result in (Result.STORED, Result.DUPLICATE)


def process_messages(messages: Sequence[QueueMessage], *, now: datetime, store: OrderStore) -> Iterator[Outcome]:
    """Store the orders that `messages` carry and yield one outcome for each message.

    Outcomes come as they are known: where the store fails on the way (StoreUnavailableError), those
    that were yielded hold, and every other message is unsettled.
    """
    first: dict[str, tuple[QueueMessage, SubmittedOrder]] = {}
    repeats: list[tuple[QueueMessage, SubmittedOrder]] = []
    for message in messages:
        try:
            submitted = read_message(message.body)
        except MessageUnreadableError as error:
            yield Outcome(message.message_id, Result.FAILED, None, str(error))
            continue
        if submitted.order_id in first:
            repeats.append((message, submitted))
        else:
            first[submitted.order_id] = (message, submitted)
    if not first:
        return

    processed_at = format_timestamp(now)
    insertions = store.insert(
        [ProcessedOrder(s.order_id, s.order, s.submitted_at, processed_at) for _, s in first.values()]
    )
    for order_id, (message, submitted) in first.items():
        yield _outcome(message, submitted, insertions[order_id])
    for message, submitted in repeats:
        insertion = insertions[submitted.order_id]
        if isinstance(insertion, Inserted):  # by the first message of this id, a moment ago
            insertion = AlreadyThere(first[submitted.order_id][1].order)
        yield _outcome(message, submitted, insertion)


def _outcome(message: QueueMessage, submitted: SubmittedOrder, insertion: Insertion) -> Outcome:
    match insertion:
        case Inserted():
            return Outcome(message.message_id, Result.STORED, submitted)
        case AlreadyThere(order) if order == submitted.order:
            return Outcome(message.message_id, Result.DUPLICATE, submitted)
        case AlreadyThere():
            return Outcome(
                message.message_id,
                Result.CONFLICT,
                submitted,
                "this order id is stored with other content: an idempotency key was used for two orders",
            )
    return Outcome(message.message_id, Result.FAILED, submitted, insertion.reason)
