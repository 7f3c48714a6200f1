"""Process messages: store the order of each queue message exactly once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from orders.domain.order import (
    AlreadyExists,
    Inserted,
    InsertResult,
    ProcessedOrder,
    Rejected,
    SubmittedOrder,
    format_timestamp,
)
from orders.domain.validation import OrderRules


class OrderStore(Protocol):
    """Stores processed orders, at most one per id."""

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, InsertResult]:
        """Store each order whose id is new and return the result for each id. Never overwrites.

        The ids must be distinct. Raises only if none of the orders is known to be stored.
        """


class Result(Enum):
    """What happened to a message; the value is the name of its event."""

    STORED = "order_stored"
    DUPLICATE = "order_duplicate"
    CONFLICT = "order_conflict"
    FAILED = "order_failed"


@dataclass(frozen=True)
class Outcome:
    """The result of one message.

    `submitted` is None if the message could not be read. A failure has a `reason`, or the `error` that caused it.
    """

    message_id: str
    result: Result
    submitted: SubmittedOrder | None = None
    reason: str | None = None
    error: Exception | None = None

    @property
    def stored(self) -> bool:
        """Whether the order is in the table, so SQS may delete the message."""
        return self.result in (Result.STORED, Result.DUPLICATE)


def process_messages(
    messages: Mapping[str, str], *, now: datetime, rules: OrderRules, store: OrderStore
) -> list[Outcome]:
    """Store the orders in `messages`, which maps message ids to bodies, and return one outcome for each, in order.

    Never raises: the outcome of each affected message contains the error.
    """
    outcomes: dict[str, Outcome] = {}
    readable: dict[str, SubmittedOrder] = {}
    for message_id, body in messages.items():
        try:
            readable[message_id] = read_message(body, rules)
        except MessageUnreadableError as error:
            outcomes[message_id] = Outcome(message_id, Result.FAILED, reason=str(error))
        except Exception as error:
            outcomes[message_id] = Outcome(message_id, Result.FAILED, error=error)
    results = _insert(readable.values(), now, store)
    for message_id, submitted in readable.items():
        result = results[submitted.order_id]
        outcomes[message_id] = _outcome(message_id, submitted, result)
        if isinstance(result, Inserted):  # for a later message with the same id
            results[submitted.order_id] = AlreadyExists(submitted.order)
    return [outcomes[message_id] for message_id in messages]


def _insert(submitted: Collection[SubmittedOrder], now: datetime, store: OrderStore) -> dict[str, InsertResult]:
    processed_at = format_timestamp(now)
    orders: dict[str, ProcessedOrder] = {}
    for each in submitted:
        orders.setdefault(each.order_id, ProcessedOrder(each.order_id, each.order, each.submitted_at, processed_at))
    try:
        return dict(store.insert(list(orders.values())))
    except Exception as error:
        return dict.fromkeys(orders, Rejected(type(error).__name__, error))


def _outcome(message_id: str, submitted: SubmittedOrder, result: InsertResult) -> Outcome:
    match result:
        case Inserted():
            return Outcome(message_id, Result.STORED, submitted)
        case AlreadyExists(order) if order == submitted.order:
            return Outcome(message_id, Result.DUPLICATE, submitted)
        case AlreadyExists():
            return Outcome(
                message_id,
                Result.CONFLICT,
                submitted,
                "this order id is stored with other content: the message is forged",
            )
    return Outcome(message_id, Result.FAILED, submitted, None if result.error else result.reason, result.error)
