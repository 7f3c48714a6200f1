"""`orders show`: where an order is."""

from datetime import datetime, timedelta
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli.console import counted, print_fields, print_json
from orders_cli.dead_letters import dead_letter, with_reasons
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.log import LOG_DAYS, LogEvent
from orders_cli.options import Target, on_system, utc_now
from orders_cli.queue import peek
from orders_cli.system import System

# An order's message is in the queue for at most 4 days.
_LONGEST_PENDING = timedelta(days=4)
# How late SQS's counts and the events in CloudWatch Logs may be.
_COUNTS_LATE = timedelta(minutes=1)

_STORED = ("order_stored", "order_duplicate")


@click.command(short_help="Show an order, or where it is.")
@click.argument("order_id")
@on_system
def show(order_id: str, as_json: bool, target: Target) -> int:
    """Show the order of ORDER_ID, or where it is.

    \b
    PROCESSED    stored; the order is shown
    DEAD_LETTER  in the dead-letter queue, for the reason shown; see `orders dlq show --order ORDER_ID`
    PENDING      accepted and not stored yet: it waits in the queue, or is being retried
    DELETED      stored once, and no longer in the table; see `orders restore --help`
    NOT_FOUND    accepted, but neither in the table nor in a queue: dropped to a file, or hidden
    UNKNOWN      never logged by this system: an id of another deployment, or older than the log

    The exit status is 3 for the last three statuses and for an id whose checksum is wrong. It is 1 if the order may be
    among hidden dead letters. The command hides the dead-letter queue's messages from other readers for a moment.
    """
    canonical = parse_order_id(order_id.strip())
    if canonical is None:
        raise OperatorError("This is not an order id: its checksum is wrong. Check it for typos.", NOT_FOUND)
    fields, exit_status = _locate(target.find(), canonical, utc_now())
    if as_json:
        print_json(fields, indent=2)
    else:
        print_fields(fields)
    return exit_status


def _locate(system: System, order_id: str, now: datetime) -> tuple[dict[str, Any], int]:
    """Return where an order is, and the exit status. Ignore dead letters of stored orders, because they are copies."""
    table, queue = system.table, system.queue("orders_queue")
    if stored := table.find(order_id):
        return {"status": "PROCESSED", **stored.to_document()}, 0
    letters, hidden = peek(system.queue("orders_dlq"), dead_letter)
    if own := [letter for letter in letters if letter.order_id == order_id]:
        [letter] = with_reasons([max(own, key=lambda letter: letter.sent_at)], system.log)
        document = {"status": "DEAD_LETTER", "what_to_do": letter.reason.kind.value, **letter.document()}
        return document, 0
    waiting = queue.depth().total
    events = system.log.trace(order_id, since=now - timedelta(days=LOG_DAYS))
    # It may have been stored since the first read.
    if stored := table.find(order_id):
        return {"status": "PROCESSED", **stored.to_document()}, 0
    if not events:
        status, detail = "UNKNOWN", f"not in the table, the dead-letter queue or the logs of the last {LOG_DAYS} days"
    elif any(event.name in _STORED for event in events):
        status, detail = "DELETED", "no longer in the table; see `orders restore --help`"
    elif _may_be_in_queue(events[-1], waiting, queue.maximum_receives(), now):
        status, detail = "PENDING", ""
    else:
        status, detail = "NOT_FOUND", "not found; look for its id in the files of `orders dlq drop`"
        if waiting:
            detail += f", unless it was redriven and is among {counted(waiting, 'message')} in the orders queue"
    if hidden and status in ("UNKNOWN", "NOT_FOUND"):
        detail += f"; {counted(hidden, 'dead letter')} hidden: run this again in a minute"
    fields = {"order_id": order_id, "status": status, **_times(events), "detail": detail}
    exit_status = 0 if status == "PENDING" else FAILED if hidden and status != "DELETED" else NOT_FOUND
    return {name: value for name, value in fields.items() if value}, exit_status


def _times(events: list[LogEvent]) -> dict[str, str]:
    times: dict[str, str] = {}
    for event in events:
        if event.name == "order_accepted":
            times.setdefault("accepted_at", format_timestamp(event.time))
        elif event.name in _STORED:
            times.setdefault("stored_at", format_timestamp(event.time))
        times["last_event"] = f"{event.name} at {format_timestamp(event.time)}"
    return times


def _may_be_in_queue(last: LogEvent, waiting: int, maximum_receives: int, now: datetime) -> bool:
    """Return whether an order can be in the queue after its last event."""
    if int(last.fields.get("receives", 0)) >= maximum_receives:
        return False
    age = now - last.time
    return age < _COUNTS_LATE or (waiting > 0 and age < _LONGEST_PENDING)
