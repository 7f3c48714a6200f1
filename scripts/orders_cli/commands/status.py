"""`orders status` and `orders watch`: what the system does now."""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from orders.domain.order import format_timestamp
from orders_cli.clock import utc_now
from orders_cli.commands.pause import mapping_state
from orders_cli.console import (
    is_smart,
    print_fields,
    print_json,
    print_line,
    print_table,
    say,
    table_lines,
    terminal_columns,
)
from orders_cli.log import Counts, LogCounts, MetricCounts, metric_values
from orders_cli.options import SystemCommand, Target, as_json, on_system
from orders_cli.queue import Depth
from orders_cli.system import System

_QUEUES = ("orders_queue", "orders_dlq", "notifications_dlq")
_RATE_MINUTES = 5
_OLDEST_METRIC = "ApproximateAgeOfOldestMessage"
_LINK = re.compile(r"https?://\S+$")


@click.command(cls=SystemCommand, short_help="Show the state of the system in one page.")
@as_json
@on_system()
def status(as_json: bool, target: Target) -> int:
    """Show the state of the system: queues, rates, event source mappings and alarms, with links.

    Numbers of messages are those of SQS, up to a minute late. The age of the oldest waiting order is CloudWatch's
    metric; a message that was received three times or more no longer counts for it. Rates are averages of the last five
    minutes. A mapping that is not Enabled stops its function: see `orders pause`.
    """
    system = target.find()
    now = utc_now()
    began = now - timedelta(minutes=_RATE_MINUTES)
    with ThreadPoolExecutor(4) as pool:
        depths = pool.submit(_depths, system)
        counts = pool.submit(_counts(system, began).read, now)
        oldest = pool.submit(_oldest_seconds, system, now)
        alarms = pool.submit(_alarms, system)
    orders, dead, notifications = depths.result()
    waiting = oldest.result() if orders.total else 0
    numbers = _numbers(depths.result(), counts.result())
    rates = ("accepted", "refused", "stored", "failed_attempts", "notified")
    document: dict[str, Any] = {
        "system": system.name,
        "time": format_timestamp(now),
        "orders_queue": {"visible": orders.visible, "in_flight": orders.in_flight, "delayed": orders.delayed},
        "oldest_order_seconds": waiting,
        "dead_letters": {"visible": dead.visible, "in_flight": dead.in_flight},
        "dead_notifications": {"visible": notifications.visible, "in_flight": notifications.in_flight},
        "per_minute": {name: round(numbers[name] / _RATE_MINUTES, 1) for name in rates},
        "processing": mapping_state(system, "processing"),
        "notification": mapping_state(system, "notification"),
        "alarms": alarms.result(),
        "dashboard": system.dashboard_url,
        "runbook": "docs/runbook.md",
    }
    if as_json:
        print_json(document, indent=2)
        return 0
    shown = {name.replace("_", " "): _shown(value) for name, value in document.items() if name != "alarms"}
    if waiting is None:
        shown["oldest order seconds"] = "not reported yet"
    shown["alarms"] = len(document["alarms"])
    print_fields(shown)
    if document["alarms"]:
        print_line("")
        print_table(("ALARM", "SINCE", "RUNBOOK"), [list(alarm.values()) for alarm in document["alarms"]])
    return 0


def _shown(value: Any) -> Any:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else value


def _oldest_seconds(system: System, now: datetime) -> int | None:
    queue_name = system.outputs["orders_queue_url"].rpartition("/")[2]
    metric = {"oldest": ("AWS/SQS", _OLDEST_METRIC, {"QueueName": queue_name}, "Maximum")}
    since = now - timedelta(minutes=_RATE_MINUTES)
    values = metric_values(system.client("cloudwatch"), metric, since, now)["oldest"]
    return int(values[0]) if values else None


def _alarms(system: System) -> list[dict[str, str]]:
    pages = system.client("cloudwatch").get_paginator("describe_alarms")
    found = pages.paginate(AlarmNamePrefix=f"{system.name}-", StateValue="ALARM")
    return [
        {
            "name": alarm["AlarmName"],
            "since": format_timestamp(alarm["StateUpdatedTimestamp"]) if "StateUpdatedTimestamp" in alarm else "",
            "runbook": (_LINK.findall(alarm.get("AlarmDescription") or "") or [""])[0],
        }
        for page in found
        for alarm in page["MetricAlarms"]
    ]


@click.command(cls=SystemCommand, short_help="Watch the system's numbers.")
@click.option("--interval", type=click.FloatRange(0.5, 3600), default=2, show_default=True, help="Seconds in between.")
@click.option("--count", type=click.IntRange(1), help="End after so many readings. Default: end by Ctrl-C.")
@as_json
@on_system()
def watch(interval: float, count: int | None, as_json: bool, target: Target) -> int:
    """Watch orders accepted, waiting, stored, failed and notified.

    A terminal shows the numbers in place, each with its source. Elsewhere each reading is one line.

    Numbers of messages are those of SQS. The others count events since the watch began: on the local stack in the
    functions' logs, on AWS by the metric filters, which are a minute or two late. The number of orders in the table is
    not shown, because DynamoDB counts them only every six hours.
    """
    system = target.find()
    counts = _counts(system, utc_now())

    def readings() -> Iterator[tuple[datetime, dict[str, int]]]:
        number = 0
        while True:
            now = utc_now()
            yield now, _numbers(_depths(system), counts.read(now))
            number += 1
            if number == count:
                return
            time.sleep(interval)

    try:
        if is_smart(sys.stdout) and not as_json:
            _show_live(system, readings(), _explanations(f"{counts.source} since the watch began"))
            return 0
        if not as_json:
            say(f"numbers of orders are {counts.source} since the watch began")
        for now, numbers in readings():
            if as_json:
                print_json({"time": format_timestamp(now), **numbers})
            else:
                print_line(f"{format_timestamp(now)} " + " ".join(f"{name}={n}" for name, n in numbers.items()))
    except KeyboardInterrupt:
        # The usual way to end a watch.
        return 0
    return 0


def _depths(system: System) -> list[Depth]:
    with ThreadPoolExecutor(len(_QUEUES)) as pool:
        return list(pool.map(lambda output: system.queue(output).depth(), _QUEUES))


def _counts(system: System, began: datetime) -> Counts:
    if system.is_local:
        return LogCounts(system.log, began)
    return MetricCounts(system.client("cloudwatch"), f"{system.project}/{system.environment}", began)


def _numbers(depths: Sequence[Depth], counts: Counter[str]) -> dict[str, int]:
    orders, dead, notifications = depths
    return {
        "accepted": counts["order_accepted"],
        "refused": counts["order_refused"],
        "waiting": orders.visible + orders.delayed,
        "in_flight": orders.in_flight,
        "stored": counts["order_stored"],
        "duplicate": counts["order_duplicate"],
        "failed_attempts": counts["order_failed"] + counts["order_conflict"],
        "notified": counts["order_notified"],
        "dead_letters": dead.total,
        "dead_notifications": notifications.total,
    }


def _explanations(source: str) -> dict[str, str]:
    return {
        "accepted": f"orders answered with 202; {source}",
        "refused": "requests that were not valid orders; same source",
        "waiting": "messages in the orders queue; from SQS",
        "in_flight": "messages being processed or waiting for a retry; from SQS",
        "stored": "new orders in the table; same source as accepted",
        "duplicate": "messages whose order was stored already; same source",
        "failed_attempts": "receives after which an order was not stored, up to five per order; same source",
        "notified": "notifications sent; same source",
        "dead_letters": "messages in the orders' dead-letter queue; from SQS",
        "dead_notifications": "entries in the notifications' dead-letter queue; from SQS",
    }


def _show_live(
    system: System, readings: Iterator[tuple[datetime, dict[str, int]]], explanations: dict[str, str]
) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        for now, numbers in readings:
            rows = [[name.replace("_", " "), f"{number:,}", explanations[name]] for name, number in numbers.items()]
            lines = table_lines(("NUMBER", "", "SOURCE"), rows, terminal_columns())
            live.update(Text("\n".join([f"{system.name}, {format_timestamp(now)}", *lines])), refresh=True)
