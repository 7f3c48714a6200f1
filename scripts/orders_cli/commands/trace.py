"""`orders trace`: an order's way through the functions."""

import re
from datetime import datetime, timedelta

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli.clock import Moment, utc_now
from orders_cli.console import print_json_line, print_table, say
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.log import EventLog, LogEvent
from orders_cli.options import SystemCommand, as_json, on_system
from orders_cli.order_location import LOG_DAYS
from orders_cli.system import System
from orders_cli.tracing import trace as trace_id

# Of orders and messages: UUIDs; of requests: what API Gateway makes, such as JKJaXmPLvHcESHA=.
_AN_ID = re.compile(r"[A-Za-z0-9=+/_-]{8,128}")


@click.command(cls=SystemCommand, short_help="Show what the functions logged about an order.")
@click.argument("some_id", metavar="ID")
@click.option("--since", type=Moment(), help=f"Look no further back. Left out, {LOG_DAYS} days.")
@as_json
@on_system
def trace(some_id: str, since: datetime | None, as_json: bool, system: System) -> int:
    """Show what the four functions logged about an order, in order of time.

    ID is an order's id; or a request_id, as every error of the API quotes it; or the id of a message in a queue.
    The event names are those of the log: order_accepted, order_stored, order_failed, order_notified and so on. An
    event holds ids and codes, never an order's content. On AWS the log is some seconds behind.

    The exit status is 3 where no event names the ID.
    """
    if not _AN_ID.fullmatch(some_id):
        raise click.UsageError("That is no id: give the id of an order, a request or a message.")
    wanted = parse_order_id(some_id) or some_id
    log = EventLog(system.client("logs"), system.log_group)
    events = trace_id(wanted, log=log, since=since or utc_now() - timedelta(days=LOG_DAYS))
    if not events:
        hint = "" if parse_order_id(some_id) else "; it is no order id of such a system either, look for typos"
        raise OperatorError(f"No event names {some_id}{hint}.", NOT_FOUND)
    if as_json:
        for event in events:
            print_json_line({"time": _time(event), "function": event.function, "event": event.name, **event.fields})
    else:
        shown = [[_time(event), event.function, event.name, _details(event, wanted)] for event in events]
        print_table(("TIME", "FUNCTION", "EVENT", "DETAILS"), shown)
    first, last = events[0].time, events[-1].time
    say(f"{len(events)} events in {(last - first).total_seconds():.1f} s")
    return 0


def _time(event: LogEvent) -> str:
    return format_timestamp(event.time)


def _details(event: LogEvent, wanted: str) -> str:
    return " ".join(f"{name}={value}" for name, value in event.fields.items() if value != wanted)
