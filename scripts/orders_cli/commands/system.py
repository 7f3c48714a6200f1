"""`orders status`, `watch`, `pause` and `resume`: see the state of the system, stop and continue processing."""

import re
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders_cli.console import print_fields, print_json, print_line, print_table, report
from orders_cli.errors import OperatorError
from orders_cli.log import event_counts, metric_values
from orders_cli.options import Mode, changes_system, on_system, utc_now
from orders_cli.queue import Depth
from orders_cli.system import System, Target

# How long a change of an event source mapping may take, and how often its state is read.
_WAIT_SECONDS = 300
_POLL_SECONDS = 1.0
_STABLE = frozenset({"Enabled", "Disabled"})
_RATE_MINUTES = 5
_COUNT_INTERVAL = timedelta(seconds=20)
_LINK = re.compile(r"https?://\S+$")


@click.command(short_help="Show the state of the system on one page.")
@on_system
def status(as_json: bool, target: Target) -> None:
    """Show the state of the system: queues, rates, event source mappings and alarms, with links.

    Numbers of messages are SQS's counts, which lag by up to a minute. The age of the oldest waiting order ignores
    messages that were received three times or more. Rates are averages of the last five minutes. While a mapping is not
    Enabled, its function is not invoked: see `orders pause`.
    """
    system, now = target.find(), utc_now()
    since = now - timedelta(minutes=_RATE_MINUTES)
    orders, dead, notifications = _depths(system)
    waiting = _oldest_seconds(system, since, now) if orders.total else 0
    counts = event_counts(system.client("cloudwatch"), system.metrics_namespace, since, now)
    rates = ("accepted", "refused", "stored", "failed_attempts", "notified")
    document: dict[str, Any] = {
        "system": system.name,
        "time": format_timestamp(now),
        "orders_queue": {"visible": orders.visible, "in_flight": orders.in_flight, "delayed": orders.delayed},
        "oldest_order_seconds": waiting,
        "dead_letters": {"visible": dead.visible, "in_flight": dead.in_flight},
        "dead_notifications": {"visible": notifications.visible, "in_flight": notifications.in_flight},
        "per_minute": {name: round(counts[name] / _RATE_MINUTES, 1) for name in rates},
        "processing": _mapping(system, "processing")["State"],
        "notification": _mapping(system, "notification")["State"],
        "alarms": _alarms(system),
        "dashboard": system.dashboard_url,
        "runbook": "docs/runbook.md",
    }
    if as_json:
        print_json(document, indent=2)
        return
    active = document.pop("alarms")
    shown = {
        name.replace("_", " "): ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        for name, value in document.items()
    }
    if waiting is None:
        shown["oldest order seconds"] = "not reported yet"
    print_fields({**shown, "alarms": len(active)})
    if active:
        print_line("")
        print_table(("ALARM", "SINCE", "RUNBOOK"), [list(alarm.values()) for alarm in active])


def _oldest_seconds(system: System, since: datetime, now: datetime) -> int | None:
    queue = {"Name": "QueueName", "Value": system.outputs["orders_queue_url"].rpartition("/")[2]}
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": [queue]}
    values = metric_values(system.client("cloudwatch"), {"oldest": metric}, "Maximum", since, now)["oldest"]
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


@click.command(short_help="Watch the system's numbers.")
@click.option("--interval", type=click.FloatRange(0.5, 3600), default=2, show_default=True, help="In seconds.")
@click.option("--count", type=click.IntRange(1), help="Stop after this many readings. Default: at Ctrl-C.")
@on_system
def watch(interval: float, count: int | None, as_json: bool, target: Target) -> None:
    """Watch orders accepted, waiting, stored, failed and notified. Each reading is one line.

    Numbers of messages are SQS's counts. The other numbers are events that metric filters have counted since the minute
    in which the watch began. On AWS they lag by a minute or two.
    """
    system = target.find()
    began = next_count = utc_now()
    report("orders are counted by metric filters, from the start of this minute")
    # Ctrl-C is the usual way to end a watch.
    with suppress(KeyboardInterrupt):
        for number in range(count or sys.maxsize):
            if number:
                time.sleep(interval)
            now = utc_now()
            # CloudWatch charges for each read.
            if system.is_local or now >= next_count:
                counts = event_counts(system.client("cloudwatch"), system.metrics_namespace, began, now)
                next_count = now + _COUNT_INTERVAL
            orders, dead, notifications = _depths(system)
            numbers = {
                **counts,
                "waiting": orders.visible + orders.delayed,
                "in_flight": orders.in_flight,
                "dead_letters": dead.total,
                "dead_notifications": notifications.total,
            }
            if as_json:
                print_json({"time": format_timestamp(now), **numbers})
            else:
                print_line(f"{format_timestamp(now)} " + " ".join(f"{name}={n}" for name, n in numbers.items()))


def _depths(system: System) -> list[Depth]:
    return [system.queue(output).depth() for output in ("orders_queue", "orders_dlq", "notifications_dlq")]


@click.command(short_help="Stop processing; orders wait in the queue.")
@changes_system
def pause(mode: Mode, target: Target) -> None:
    """Stop processing: disable the event source mapping and wait until it is disabled.

    The API still accepts orders. They are PENDING and wait in the queue for at most four days. Waiting does not count
    as one of their five receives. Alarms on waiting orders and on the disabled mapping stay until `orders resume`.
    `terraform apply` also enables the mapping again.
    """
    system = target.find()
    if _set(system, "Disabled", mode, "Stop processing orders"):
        report("orders are still accepted; they wait in the queue for at most 4 days, until `orders resume`")
        report(f"alarms on waiting orders, such as {system.name}-orders-waiting, will fire in about five minutes")


@click.command(short_help="Resume processing after `pause`.")
@changes_system
def resume(mode: Mode, target: Target) -> None:
    """Resume processing: enable the event source mapping and wait until it is enabled.

    The waiting orders are then processed. `orders status` shows how many are left.
    """
    system = target.find()
    if _set(system, "Enabled", mode, "Resume processing orders"):
        waiting = system.queue("orders_queue").depth().total
        report(f"{waiting:,} waiting orders are being processed; see `orders status`")


def _set(system: System, wanted: str, mode: Mode, what: str) -> bool:
    functions = system.client("lambda")
    uuid = str(_mapping(system, "processing")["UUID"])
    before = _wait(functions, uuid, _STABLE)
    would = f"processing is {before.lower()} and would be {wanted.lower()}"
    if not mode.should_do(would, system.question_in_production(what)):
        return False
    if before != wanted:
        functions.update_event_source_mapping(UUID=uuid, Enabled=wanted == "Enabled")
        report(f"processing was {before.lower()}; waiting until it is {wanted.lower()}")
        _wait(functions, uuid, frozenset({wanted}))
    report(f"processing is {'already ' if before == wanted else ''}{wanted.lower()}")
    if mode.as_json:
        print_json({"processing": wanted, "changed": before != wanted})
    return True


def _wait(functions: Any, uuid: str, states: frozenset[str]) -> str:
    deadline = time.monotonic() + _WAIT_SECONDS
    while (state := str(functions.get_event_source_mapping(UUID=uuid)["State"])) not in states:
        if time.monotonic() > deadline:
            raise OperatorError(f"The event source mapping is still {state}: see `orders status` in a few minutes.")
        time.sleep(_POLL_SECONDS)
    return state


def _mapping(system: System, function: str) -> dict[str, Any]:
    name = f"{system.function_name(function)}:live"
    found = system.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    if len(found) != 1:
        raise OperatorError(f"{name} has {len(found)} event source mappings instead of one. Deploy the system again.")
    return dict(found[0])
