"""`orders watch`: the system's numbers, live."""

import sys
import time
from collections.abc import Iterator

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orders.domain.order import format_timestamp
from orders_cli.clock import utc_now
from orders_cli.console import print_json_line, print_line, say
from orders_cli.log import EventLog
from orders_cli.options import SystemCommand, as_json, on_system
from orders_cli.queue import Queue
from orders_cli.system import System
from orders_cli.watching import Counts, LogCounts, MetricCounts, Reading, explanations, reader


@click.command(cls=SystemCommand, short_help="Watch what the system does, in numbers.")
@click.option(
    "--interval", type=click.FloatRange(0.5, 3600), default=2, show_default=True, help="Seconds between two looks."
)
@click.option("--count", type=click.IntRange(1), help="End after so many looks. Left out, Ctrl-C ends it.")
@as_json
@on_system
def watch(interval: float, count: int | None, as_json: bool, system: System) -> int:
    """Watch what the system does: orders accepted, waiting, stored, failed and announced.

    On a terminal the numbers are kept up to date in place, each with where it comes from. Elsewhere there is one line
    for each look.

    The numbers of messages are what SQS says now. The others count events since the watch began: on the local stack
    in the functions' logs, on AWS by the metric filters, which are a minute or two late. How many orders the table
    holds in all is not shown, because DynamoDB counts them only every six hours.
    """
    sqs = system.client("sqs")
    counts = _counts(system)
    queue, dlq, notifications_dlq = (
        Queue(sqs, system.outputs[f"{name}_url"]) for name in ("orders_queue", "orders_dlq", "notifications_dlq")
    )
    read = reader(queue, dlq, notifications_dlq, counts)

    def readings() -> Iterator[Reading]:
        number = 0
        while True:
            yield read(utc_now())
            number += 1
            if number == count:
                return
            time.sleep(interval)

    try:
        if sys.stdout.isatty() and not as_json:
            _show_live(system, readings(), explanations(counts.source))
        else:
            if not as_json:
                say(f"accepted, refused, stored, duplicate, failed_attempts and notified are {counts.source}")
            for reading in readings():
                _print(reading, as_json)
    except KeyboardInterrupt:
        # The only way to end a watch, and nothing to complain about.
        return 0
    return 0


def _counts(system: System) -> Counts:
    began = utc_now()
    if system.is_local:
        return LogCounts(EventLog(system.client("logs"), system.log_group), began)
    return MetricCounts(system.client("cloudwatch"), f"{system.project}/{system.environment}", began)


def _print(reading: Reading, as_json: bool) -> None:
    time_shown = format_timestamp(reading.time)
    if as_json:
        print_json_line({"time": time_shown, **reading.fields()})
    else:
        print_line(f"{time_shown} " + " ".join(f"{name}={number}" for name, number in reading.fields().items()))


def _show_live(system: System, readings: Iterator[Reading], explained: dict[str, str]) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        for reading in readings:
            table = Table("NUMBER", "", "WHAT IT IS")
            for name, number in reading.fields().items():
                table.add_row(name.replace("_", " "), Text(f"{number:,}", justify="right"), explained[name])
            live.update(Group(Text(f"{system.name}, {format_timestamp(reading.time)}"), table), refresh=True)
