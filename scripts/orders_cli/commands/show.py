"""`orders show`: where an order is."""

from dataclasses import asdict
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli.clock import utc_now
from orders_cli.console import print_fields, print_json
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.log import EventLog
from orders_cli.options import SystemCommand, as_json, on_system
from orders_cli.order_location import LOG_DAYS, Location, Place, locate
from orders_cli.queue import Queue
from orders_cli.system import System
from orders_cli.table import OrdersTable


@click.command(cls=SystemCommand, short_help="Show an order, or say where it is.")
@click.argument("order_id")
@as_json
@on_system
def show(order_id: str, as_json: bool, system: System) -> int:
    """Show the order of ORDER_ID, or say where it is.

    \b
    PROCESSED    stored; the order is shown
    DEAD_LETTER  in the dead-letter queue; the reason is shown, see `orders dlq show --order ORDER_ID`
    PENDING      accepted and not stored yet: it waits in the queue, or is being tried again
    UNKNOWN      the id is well formed, but this system has never logged it: it may be another deployment's, or it
                 is older than the log and was lost from sight

    An id whose checksum is wrong was never issued by any such system, and is looked for nowhere. For it and for
    UNKNOWN the exit status is 3. Looking into the dead-letter queue hides its messages from other readers for a moment.
    """
    canonical = parse_order_id(order_id)
    if canonical is None:
        raise OperatorError(
            "No system of this kind ever issued that order id: its checksum is wrong. Look for typos.", NOT_FOUND
        )
    sqs = system.client("sqs")
    location = locate(
        canonical,
        table=OrdersTable(system.client("dynamodb"), system.outputs["orders_table_name"]),
        dlq=Queue(sqs, system.outputs["orders_dlq_url"]),
        queue=Queue(sqs, system.outputs["orders_queue_url"]),
        log=EventLog(system.client("logs"), system.log_group),
        now=utc_now(),
    )
    fields = _fields(canonical, location)
    if as_json:
        print_json({name: value for name, value in fields.items() if value is not None})
    else:
        print_fields(fields)
    return NOT_FOUND if location.place is Place.UNKNOWN else 0


def _fields(order_id: str, location: Location) -> dict[str, Any]:
    fields: dict[str, Any] = {"order_id": order_id, "status": location.place.value}
    match location:
        case Location(stored=stored) if stored is not None:
            fields |= {**asdict(stored.order), "submitted_at": stored.submitted_at, "processed_at": stored.processed_at}
        case Location(letter=letter, reason=reason) if letter is not None and reason is not None:
            fields |= {
                "reason": reason.text,
                "what_to_do": reason.kind.value,
                "message_id": letter.message_id,
                "sent_at": format_timestamp(letter.sent_at),
            }
        case Location(accepted_at=accepted_at) if accepted_at is not None:
            fields["accepted_at"] = format_timestamp(accepted_at)
        case Location(place=Place.UNKNOWN):
            fields["looked_in"] = f"table, dead-letter queue, and the logs of the last {LOG_DAYS} days"
    return fields
