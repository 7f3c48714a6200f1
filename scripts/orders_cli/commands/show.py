"""`orders show`: where an order is."""

from dataclasses import asdict
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli.clock import utc_now
from orders_cli.console import counted, print_fields, print_json
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.options import Target, on_system
from orders_cli.order_location import LOG_DAYS, Location, Place, locate


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

    The exit status is 3 for the last three and for an id whose checksum is wrong, 1 if the order may be among hidden
    dead letters. Messages of the dead-letter queue are hidden from other readers for a moment.
    """
    canonical = parse_order_id(order_id.strip())
    if canonical is None:
        raise OperatorError("This is not an order id: its checksum is wrong. Check it for typos.", NOT_FOUND)
    system = target.find()
    location = locate(
        canonical,
        table=system.table,
        dlq=system.queue("orders_dlq"),
        queue=system.queue("orders_queue"),
        log=system.log,
        now=utc_now(),
    )
    fields = _fields(canonical, location)
    if as_json:
        print_json({name: value for name, value in fields.items() if value is not None}, indent=2)
    else:
        print_fields(fields)
    if location.place in (Place.PROCESSED, Place.DEAD_LETTER, Place.PENDING):
        return 0
    return FAILED if location.hidden else NOT_FOUND


def _fields(order_id: str, location: Location) -> dict[str, Any]:
    fields: dict[str, Any] = {"order_id": order_id, "status": location.place.value}
    if (stored := location.stored) is not None:
        return (
            fields | asdict(stored.order) | {"submitted_at": stored.submitted_at, "processed_at": stored.processed_at}
        )
    if (letter := location.letter) is not None:
        return fields | {
            "reason": letter.reason.text,
            "what_to_do": letter.reason.kind.value,
            "message_id": letter.message_id,
            "sent_at": format_timestamp(letter.sent_at),
        }
    if location.accepted_at:
        fields["accepted_at"] = format_timestamp(location.accepted_at)
    if location.stored_at:
        fields["stored_at"] = format_timestamp(location.stored_at)
    if location.last_event:
        fields["last_event"] = f"{location.last_event.name} at {format_timestamp(location.last_event.time)}"
    hidden = f"{counted(location.hidden, 'dead letter')} hidden" if location.hidden else None
    match location.place:
        case Place.DELETED:
            fields["detail"] = "no longer in the table; see `orders restore --help`"
        case Place.NOT_FOUND if hidden:
            fields["detail"] = f"not found; {hidden}: run this again in a minute"
        case Place.NOT_FOUND:
            waiting = counted(location.waiting, "message")
            redriven = (
                f", unless it was redriven and is among {waiting} in the orders queue" if location.waiting else ""
            )
            fields["detail"] = f"not found{redriven}; look for its id in the files of `orders dlq drop`"
        case Place.UNKNOWN:
            searched = f"not in the table, the dead-letter queue or the logs of the last {LOG_DAYS} days"
            fields["detail"] = f"{searched}; {hidden}" if hidden else searched
    return fields
