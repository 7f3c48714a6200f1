"""Where an order is: stored, in the dead-letter queue, pending, deleted or nowhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from orders.domain.order import ProcessedOrder
from orders_cli.dead_letters import DeadLetter, dead_letter, with_reasons
from orders_cli.log import EventLog, LogEvent
from orders_cli.queue import Queue, peek
from orders_cli.table import OrdersTable

# The retention of both queues together: 4 days, then 14.
LOG_DAYS = 18

# An order's message is in the queue for at most 4 days.
_LONGEST_PENDING = timedelta(days=4)
# SQS's counts, and an event in CloudWatch Logs, may be so late.
_COUNTS_LATE = timedelta(minutes=1)

_STORED = ("order_stored", "order_duplicate")


class Place(Enum):
    PROCESSED = "PROCESSED"
    DEAD_LETTER = "DEAD_LETTER"
    PENDING = "PENDING"
    DELETED = "DELETED"
    NOT_FOUND = "NOT_FOUND"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Location:
    """Where an order is, and what is known about it.

    `hidden` is the number of dead letters that could not be read, `waiting` of messages in the orders queue.
    """

    place: Place
    stored: ProcessedOrder | None = None
    letter: DeadLetter | None = None
    accepted_at: datetime | None = None
    stored_at: datetime | None = None
    last_event: LogEvent | None = None
    hidden: int = 0
    waiting: int = 0


def locate(order_id: str, *, table: OrdersTable, dlq: Queue, queue: Queue, log: EventLog, now: datetime) -> Location:
    """Return where the order of a well-formed id is. A dead letter of a stored order is a copy, so it is ignored."""
    if stored := table.find(order_id):
        return Location(Place.PROCESSED, stored)
    letters, hidden = peek(dlq, dead_letter)
    maximum_receives = queue.maximum_receives()
    if own := [letter for letter in letters if letter.order_id == order_id]:
        newest = max(own, key=lambda letter: letter.sent_at)
        [letter] = with_reasons([newest], log=log, maximum_receives=maximum_receives)
        return Location(Place.DEAD_LETTER, letter=letter)
    waiting = queue.depth().total
    events = log.trace(order_id, since=now - timedelta(days=LOG_DAYS))
    # It may have been stored since the first read.
    if stored := table.find(order_id):
        return Location(Place.PROCESSED, stored)
    own_events = [event for event in events if event.fields.get("order_id") == order_id]
    if not own_events:
        return Location(Place.UNKNOWN, hidden=hidden)
    accepted = min((event.time for event in own_events if event.name == "order_accepted"), default=None)
    last = own_events[-1]
    if stored_times := [event.time for event in own_events if event.name in _STORED]:
        return Location(Place.DELETED, accepted_at=accepted, stored_at=min(stored_times), last_event=last)
    place = Place.PENDING if _may_be_in_queue(last, waiting, maximum_receives, now) else Place.NOT_FOUND
    return Location(place, accepted_at=accepted, last_event=last, hidden=hidden, waiting=waiting)


def _may_be_in_queue(last: LogEvent, waiting: int, maximum_receives: int, now: datetime) -> bool:
    """Return whether the queue can still hold an order after its last event."""
    if int(last.fields.get("receives", 0)) >= maximum_receives:
        return False
    age = now - last.time
    return age < _COUNTS_LATE or (waiting > 0 and age < _LONGEST_PENDING)
