"""Where an order is: stored, dead, on its way, or nowhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from orders.domain.order import ProcessedOrder
from orders_cli.dead_letters import DeadLetter, Reason, dead_letter, reasons_of
from orders_cli.log import EventLog
from orders_cli.peek import look_through
from orders_cli.queue import Queue
from orders_cli.table import OrdersTable
from orders_cli.tracing import trace

# What a queue may hold is as old as the retention of both together: 4 days, then 14.
LOG_DAYS = 18


class Place(Enum):
    """Where an order is."""

    PROCESSED = "PROCESSED"
    DEAD_LETTER = "DEAD_LETTER"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Location:
    """Where an order is, and what is known of it there."""

    place: Place
    stored: ProcessedOrder | None = None
    letter: DeadLetter | None = None
    reason: Reason | None = None
    accepted_at: datetime | None = None


def locate(order_id: str, *, table: OrdersTable, dlq: Queue, queue: Queue, log: EventLog, now: datetime) -> Location:
    """Return where the order of a well-formed id is.

    A stored order that lies in the dead-letter queue as well is stored: what lies there is a copy, or another order
    under a reused key.
    """
    if stored := table.find(order_id):
        return Location(Place.PROCESSED, stored)
    letters = [letter for letter in look_through(dlq, dead_letter) if letter.order_id == order_id]
    if letters:
        letter = max(letters, key=lambda letter: letter.sent_at)
        reasons = reasons_of([letter], log=log, receives=queue.receives_before_giving_up())
        return Location(Place.DEAD_LETTER, letter=letter, reason=reasons[letter.message_id])
    # It may have been stored while we looked elsewhere.
    if stored := table.find(order_id):
        return Location(Place.PROCESSED, stored)
    events = trace(order_id, log=log, since=now - timedelta(days=LOG_DAYS))
    if not events:
        return Location(Place.UNKNOWN)
    accepted = [event.time for event in events if event.name == "order_accepted"]
    return Location(Place.PENDING, accepted_at=min(accepted, default=None))
