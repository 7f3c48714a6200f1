"""`orders-plan capacity`: the effect of a load on a deployment, and which limit it meets first."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from planning import capacity as model
from planning.capacity import Arrivals, Limit, Outcome, duration, simulate
from planning.settings import PlanningError, Settings

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_POSITIVE = click.FloatRange(min=0, min_open=True)
_DEFAULTS = {setting.name: getattr(Settings(), setting.name) for setting in fields(Settings)}

# --advise: headroom over the peak, and the most changes it proposes.
_HEADROOM = 1.2
_MOST_CHANGES = 12


class Duration(click.ParamType[float]):
    """A duration: a number and s, min, h or d; seconds without a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration in seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(s|min|m|h|d)?", value)
        if not match or float(match[1]) <= 0:
            self.fail(f"{value!r} is not a duration: write 90s, 10min, 1h or 1d.", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True, help="Change a setting."),
        click.option("--gets-per-order", type=click.FloatRange(min=0), default=1, show_default=True),
        click.option(
            "--hottest-customer",
            type=click.FloatRange(0, 1),
            default=0,
            show_default=True,
            help="Share of all orders that one customer places.",
        ),
        click.option("--advise", is_flag=True, help="Raise one limit after another until the load passes."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        command = option(command)
    return command


@click.group(short_help="Compute the effect of a load on the deployment.")
def capacity() -> None:
    """Compute the effect of a load: backlog, drain time, rejected orders and the first limit.

    Uses AWS's documented limits; needs no AWS account.
    """


@capacity.command()
@click.option("--rate", type=_POSITIVE, required=True, help="Orders per second.")
@click.option("--for", "seconds", type=Duration(), default="1h", show_default=True)
@_common_options
def constant(rate: float, seconds: float, **options: Any) -> None:
    """Send orders at a constant rate."""
    _run(model.constant(rate, seconds), **options)


@capacity.command()
@click.option("--orders", type=_POSITIVE, required=True, help="Orders per day.")
@click.option("--peak", type=click.FloatRange(1, 2), default=1.8, show_default=True, help="Times the mean, at 18:00.")
@_common_options
def daily(orders: float, peak: float, **options: Any) -> None:
    """Send a day's orders, with a quiet morning and a busy evening."""
    _run(model.daily(orders, peak), **options)


@capacity.command("flash-sale")
@click.option("--base", type=_POSITIVE, default=1, show_default=True, help="Orders per second before and after.")
@click.option("--peak", type=_POSITIVE, required=True, help="Orders per second during the sale.")
@click.option("--for", "seconds", type=Duration(), default="5min", show_default=True)
@_common_options
def flash_sale(base: float, peak: float, seconds: float, **options: Any) -> None:
    """Send a sale that starts at once and fades by half per minute."""
    _run(model.flash_sale(base, peak, seconds), **options)


@capacity.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_common_options
def recorded(file: Path, **options: Any) -> None:
    """Send recorded orders: a CSV file with Unix seconds or ISO 8601 in its first column."""
    _run(model.recorded(file), **options)


@capacity.command()
def settings() -> None:
    """List what --set changes, with defaults and sources."""
    for setting in fields(Settings):
        value = "null" if _DEFAULTS[setting.name] is None else _DEFAULTS[setting.name]
        click.echo(f"{setting.name:44}{value!s:>10}  {setting.metadata['source']}")


def _run(
    arrivals: Arrivals,
    *,
    assignments: tuple[str, ...],
    gets_per_order: float,
    hottest_customer: float,
    advise: bool,
    as_json: bool,
) -> None:
    chosen = replace(
        parse_settings(assignments), status_requests_per_order=gets_per_order, hottest_customer_share=hottest_customer
    )
    if advise:
        rounds = list(advised(arrivals, chosen))
        if as_json:
            documents = [{"changes": changes, "outcome": outcome.to_document()} for outcome, _, changes in rounds]
            click.echo(json.dumps(documents, indent=2))
        else:
            _print_advice(arrivals, rounds)
        return
    outcome = simulate(arrivals, chosen)
    if as_json:
        click.echo(json.dumps(outcome.to_document() | {"settings": list(assignments)}, indent=2))
    else:
        _print(outcome)


def parse_settings(assignments: tuple[str, ...]) -> Settings:
    """Return the defaults with each NAME=VALUE applied; raise PlanningError for an unknown name or a bad value."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in _DEFAULTS:
            raise PlanningError(
                f"{assignment!r} is not a setting: write NAME=VALUE with a NAME of `orders-plan capacity settings`."
            )
        changes[name] = _parse_value(name, text)
    chosen = replace(Settings(), **changes)
    if chosen.processing_maximum_concurrency < 2:
        raise PlanningError("processing_maximum_concurrency must be at least 2, the least that AWS accepts.")
    if (chosen.processing_reserved_concurrency or 0) > chosen.lambda_concurrency:
        raise PlanningError("processing_reserved_concurrency must not exceed lambda_concurrency.")
    return chosen


def _parse_value(name: str, text: str) -> int | float | str | None:
    if text == "null":
        return None
    if name == "completed_order_email":
        return text
    is_whole = not isinstance(_DEFAULTS[name], float)
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        raise PlanningError(f"{name} must be a {'whole ' if is_whole else ''}number, not {text!r}.") from None
    if not 0 <= value < float("inf") or (value == 0 and name.endswith("_seconds") and "window" not in name):
        raise PlanningError(f"{name} must not be {text}.")
    return value


# --- Advice -----------------------------------------------------------------------------------------------------------


def advised(arrivals: Arrivals, settings: Settings) -> Iterator[tuple[Outcome, Limit | None, dict[str, Any]]]:
    """Simulate, raise the first limit that can be raised, and repeat until none can.

    Yields each outcome with that limit and the changed settings; the last one with None and no changes.
    """
    for _ in range(_MOST_CHANGES):
        outcome = simulate(arrivals, settings)
        limit, changes = next(
            ((limit, changes) for limit in outcome.limits if (changes := _remedy(limit, arrivals.peak_rate, settings))),
            (None, {}),
        )
        yield outcome, limit, changes
        if not changes:
            return
        settings = replace(settings, **changes)


def _remedy(limit: Limit, rate: float, settings: Settings) -> dict[str, Any]:
    """Return the settings that raise `limit` above a peak of `rate`, within the bounds of variables.tf and AWS."""
    starting = rate * (settings.cold_start_seconds + settings.submission_seconds)
    statuses = rate * settings.status_requests_per_order
    changes: dict[str, Any] = {}
    match limit:
        case Limit.API_ROUTE:
            burst = max(settings.api_throttling_burst_limit, _above(rate))
            changes = {
                "api_throttling_rate_limit": min(10_000, _above(rate)),
                "api_throttling_burst_limit": min(5_000, burst),
            }
        case Limit.API_ACCOUNT:
            changes = {"api_requests_per_second": _above(rate + statuses)}
        case Limit.LAMBDA_REQUESTS | Limit.LAMBDA_ACCOUNT:
            executions = starting + statuses * settings.status_seconds + settings.processing_maximum_concurrency
            by_requests = (rate + statuses) / settings.lambda_requests_per_second_per_concurrency
            needed = _above(max(executions, by_requests))
            changes = {"lambda_concurrency": max(settings.lambda_concurrency, needed)}
        case Limit.SUBMISSION_RESERVED:
            changes = {"submission_reserved_concurrency": _above(starting)}
        case Limit.MAPPING_CONCURRENCY:
            needed = _above(rate * settings.processing_cycle_seconds / settings.processing_batch_size)
            needed = max(settings.processing_maximum_concurrency, needed)
            changes = {"processing_maximum_concurrency": min(1_000, needed)}
        case Limit.PROCESSING_STARVED:
            changes = {"processing_reserved_concurrency": settings.processing_maximum_concurrency}
        case Limit.TABLE_WARMTH:
            changes = {"table_warm_write_units": min(int(settings.table_write_units_per_second), _above(rate))}
        case Limit.TABLE_QUOTA:
            changes = {"table_write_units_per_second": _above(rate)}
        case Limit.STREAM_SHARDS:
            shards = max(1, settings.table_warm_write_units // int(settings.partition_write_units_per_second))
            batches = rate * settings.notification_seconds / settings.notification_batch_size
            changes = {"notification_parallelization_factor": min(10, math.ceil(batches * _HEADROOM / shards))}
        case Limit.TOPIC_RATE:
            changes = {"topic_messages_per_second": _above(rate)}
        case Limit.TOPIC_EMAIL:
            changes = {"completed_order_email": "none"}
    return {name: value for name, value in changes.items() if getattr(settings, name) != value}


def _above(value: float) -> int:
    """Return `value` with headroom, rounded up to two digits."""
    wanted = value * _HEADROOM
    unit = int(10 ** max(0, math.floor(math.log10(max(wanted, 1))) - 1))
    return math.ceil(wanted / unit) * unit


# --- Output -----------------------------------------------------------------------------------------------------------


def _print_advice(arrivals: Arrivals, rounds: list[tuple[Outcome, Limit | None, dict[str, Any]]]) -> None:
    click.echo(arrivals.description)
    for number, (outcome, limit, changes) in enumerate(rounds, 1):
        click.echo(
            f"\n{number}. {outcome.throttled_429:,} answered 429, {outcome.refused_503:,} answered 503, "
            f"{outcome.dead_lettered:,} dead letters;\n"
            f"   backlog up to {outcome.peak_backlog:,}, oldest order {duration(outcome.oldest_order_seconds)}, "
            f"drained {_drained(outcome)}"
        )
        if limit:
            click.echo(f"   limit: {limit.effect}")
            click.echo("   set:   " + " ".join(f"{name}={value}" for name, value in changes.items()))
        for remaining in () if limit else outcome.limits:
            click.echo(f"   left:  {remaining.effect}")


def _drained(outcome: Outcome) -> str:
    return (
        "not before the end of the run" if outcome.drain_seconds is None else f"after {duration(outcome.drain_seconds)}"
    )


def _print(outcome: Outcome) -> None:
    click.echo(f"{outcome.profile}\n")
    waits = f"{duration(outcome.wait_p50_seconds)} / {duration(outcome.wait_p99_seconds)}"
    for label, value in (
        ("orders offered", f"{outcome.offered:,}"),
        ("accepted", f"{outcome.accepted:,}"),
        ("answered 429", f"{outcome.throttled_429:,}"),
        ("answered 503", f"{outcome.refused_503:,}"),
        ("stored", f"{outcome.stored:,}"),
        ("dead letters", f"{outcome.dead_lettered:,}"),
        ("expired in the queue", f"{outcome.expired:,}"),
        ("peak backlog", f"{outcome.peak_backlog:,}"),
        ("oldest order", duration(outcome.oldest_order_seconds)),
        ("drained", _drained(outcome)),
        ("wait in the queue, p50 / p99", waits),
        ("orders per batch, mean", f"{outcome.orders_per_batch:.1f}"),
        ("announced", f"{outcome.announced:,}"),
        ("announcements given up", f"{outcome.announcements_given_up:,}"),
    ):
        click.echo(f"{label:32}{value:>20}")
    click.echo("\nLimits met, in order:" if outcome.limits else "\nNo limit is met.")
    for limit, seconds in outcome.limits.items():
        click.echo(f"{duration(seconds):>10}  {limit.effect}\n{'':12}raised by: {limit.raised_by}")
