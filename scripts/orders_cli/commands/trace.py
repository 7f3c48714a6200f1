"""`orders trace`: the events of an order."""

import re
from datetime import datetime, timedelta

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli.console import counted, print_json, print_table, say
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.log import LOG_DAYS, LogEvent
from orders_cli.options import Moment, Target, on_system, utc_now

# Orders and messages have UUIDs; request ids come from API Gateway, such as JKJaXmPLvHcESHA=.
_ID = re.compile(r"[A-Za-z0-9=+/_-]{8,128}")


@click.command(short_help="Show what the functions logged about an order.")
@click.argument("some_id", metavar="ID")
@click.option("--since", type=Moment(), help=f"Search no further back. Default: {LOG_DAYS} days.")
@on_system
def trace(some_id: str, since: datetime | None, as_json: bool, target: Target) -> int:
    """Show the events that the four functions logged about an order, in chronological order.

    ID is an order id, the request_id of an API error, or the id of a message in a queue. Event names are those of the
    log, such as order_accepted, order_stored, order_failed and order_notified. An event holds ids and codes, never an
    order's content. On AWS the log lags by some seconds.

    The exit status is 3 if no event contains the ID.
    """
    some_id = some_id.strip()
    if not _ID.fullmatch(some_id):
        raise click.UsageError("This is not an id: give the id of an order, a request or a message.")
    order_id = parse_order_id(some_id)
    wanted = order_id or some_id
    events = target.find().log.trace(wanted, since=since or utc_now() - timedelta(days=LOG_DAYS))
    if not events:
        hint = "" if order_id else "; nor is it an order id: check it for typos"
        raise OperatorError(f"No event names {some_id}{hint}.", NOT_FOUND)
    if as_json:
        for event in events:
            shown = {"time": format_timestamp(event.time), "function": event.function, "event": event.name}
            print_json({**shown, **event.fields})
    else:
        rows = [[format_timestamp(event.time), event.function, event.name, _details(event, wanted)] for event in events]
        print_table(("TIME", "FUNCTION", "EVENT", "DETAILS"), rows)
    say(f"{counted(len(events), 'event')} in {(events[-1].time - events[0].time).total_seconds():.1f} s")
    return 0


def _details(event: LogEvent, wanted: str) -> str:
    return " ".join(f"{name}={value}" for name, value in event.fields.items() if value != wanted)
