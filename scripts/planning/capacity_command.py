"""`orders-plan capacity`: what a deployment does under a load, and which of its settings gives way first."""

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from planning import arrivals as profiles
from planning.advice import advise
from planning.arrivals import Arrivals, duration
from planning.deployment import STATED, Deployment
from planning.durations import Durations
from planning.errors import PlanningError
from planning.needed_packages import require_needed_packages
from planning.outcome import Outcome, outcome
from planning.pipeline import simulate
from planning.plan import Load, Plan
from planning.printing import plain_table, print_table
from planning.quotas import SOURCES, Quotas

_OUTPUT = Path(".local/capacity")
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}


class Seconds(click.ParamType[float]):
    """A time: a number and s, min, h or d; seconds without a unit."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time in seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(s|min|m|h|d)?", value)
        if not match or float(match[1]) <= 0:
            self.fail(f"{value!r} is no time: write e.g. 90s, 10min, 1h or 1d.", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


POSITIVE = click.FloatRange(min=0, min_open=True)


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Change a setting, see `settings`."
        ),
        click.option("--gets-per-order", type=click.FloatRange(min=0), default=1, show_default=True),
        click.option(
            "--hottest-customer",
            type=click.FloatRange(0, 1),
            default=0,
            show_default=True,
            help="Part of all orders that one customer places.",
        ),
        click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same run."),
        click.option("--advise", "is_advice", is_flag=True, help="Change settings one by one until the load passes."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else."),
        click.option(
            "--plot", type=click.Choice(["svg", "png", "none"]), default="svg", show_default=True, help="Picture."
        ),
    ):
        command = option(command)
    return command


@click.group(short_help="Tell what a load does to the deployment.")
def capacity() -> None:
    """Tell what a load does to the deployment: backlog, drain time, refusals and the first limit.

    Needs no AWS account: it computes with AWS's documented limits. Writes a picture and the numbers
    to .local/capacity.
    """


@capacity.command()
@click.option("--rate", type=POSITIVE, required=True, help="Orders a second.")
@click.option("--for", "seconds", type=Seconds(), default="1h", show_default=True)
@_common_options
def constant(rate: float, seconds: float, **options: Any) -> None:
    """Run a constant rate of orders."""
    _run("constant", lambda seed: profiles.constant(rate, seconds, seed), **options)


@capacity.command()
@click.option("--orders", type=POSITIVE, required=True, help="Orders in the day.")
@click.option("--peak", type=click.FloatRange(1, 2), default=1.8, show_default=True, help="Times the mean, at 18:00.")
@_common_options
def daily(orders: float, peak: float, **options: Any) -> None:
    """Run a day that swings between a quiet morning and a busy evening."""
    _run("daily", lambda seed: profiles.daily(orders, peak, seed), **options)


@capacity.command("flash-sale")
@click.option("--base", type=POSITIVE, default=1, show_default=True, help="Orders a second before and after.")
@click.option("--peak", type=POSITIVE, required=True, help="Orders a second in the sale.")
@click.option("--for", "seconds", type=Seconds(), default="5min", show_default=True)
@_common_options
def flash_sale(base: float, peak: float, seconds: float, **options: Any) -> None:
    """Run a sale that begins at once."""
    _run("flash-sale", lambda seed: profiles.flash_sale(base, peak, seconds, seed), **options)


@capacity.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_common_options
def recorded(file: Path, **options: Any) -> None:
    """Run recorded orders: a file with one moment a line, Unix seconds or ISO 8601, in the first column."""
    _run("recorded", lambda _: profiles.recorded(file), **options)


@capacity.command()
def settings() -> None:
    """List what --set changes, with the defaults and where they are from."""
    table = plain_table(("setting", "left"), ("default", "left"), ("from", "left"))
    for name, value in _defaults().items():
        source = f"terraform-backend/{STATED[name].file}" if name in STATED else SOURCES.get(name, "see durations.py")
        table.add_row(name, "null" if value is None else f"{value}", source)
    print_table(table)


def _defaults() -> dict[str, Any]:
    return {
        setting.name: getattr(group, setting.name)
        for group in (Deployment(), Quotas(), Durations())
        for setting in fields(group)
    }


def _plan(assignments: tuple[str, ...], load: Load) -> Plan:
    """Return the defaults with `assignments`, each NAME=VALUE, applied; raises PlanningError where one is none."""
    plan = Plan(load=load)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in _defaults():
            raise PlanningError(
                f"{assignment!r} sets nothing: write NAME=VALUE with a NAME of `orders-plan capacity settings`."
            )
        for part in ("deployment", "quotas", "durations"):
            group = getattr(plan, part)
            if hasattr(group, name):
                plan = replace(plan, **{part: replace(group, **{name: _value(name, text)})})
    reserved = plan.deployment.processing_reserved_concurrency
    if plan.deployment.processing_maximum_concurrency < 2:
        raise PlanningError("Choose at least 2 as processing_maximum_concurrency, the least that AWS takes.")
    if reserved is not None and reserved > plan.quotas.lambda_concurrency:
        raise PlanningError("Reserve no more than lambda_concurrency, which is all that the account has.")
    return plan


def _value(name: str, text: str) -> int | float | str | None:
    if text == "null":
        return None
    if name == "completed_order_email":
        return text
    is_whole = not isinstance(_defaults()[name], float)
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        raise PlanningError(f"{name} wants a {'whole ' if is_whole else ''}number, not {text!r}.") from None
    if not 0 <= value < float("inf") or (value == 0 and name.endswith("_seconds") and "window" not in name):
        raise PlanningError(f"{name} cannot be {text}.")
    return value


def _run(
    name: str,
    profile: Callable[[int], Arrivals],
    *,
    settings: tuple[str, ...],
    gets_per_order: float,
    hottest_customer: float,
    seed: int,
    is_advice: bool,
    as_json: bool,
    plot: str,
) -> None:
    plan = _plan(settings, Load(gets_per_order, hottest_customer))
    require_needed_packages()
    arrivals = profile(seed)
    if is_advice:
        _run_advice(arrivals, plan, seed, as_json)
        return
    record = simulate(arrivals, plan, seed=seed)
    result = outcome(arrivals, record)
    document = result.to_document() | {"settings": list(settings), "seed": seed}
    _OUTPUT.mkdir(parents=True, exist_ok=True)
    written = _OUTPUT / f"{name}.json"
    written.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if plot != "none":
        from planning.plot import draw

        draw(record, result, _OUTPUT / f"{name}.{plot}")
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    _print(result)
    click.echo(
        f"\nNumbers in {written}" + ("" if plot == "none" else f", picture in {written.with_suffix('.' + plot)}")
    )


def _run_advice(arrivals: Arrivals, plan: Plan, seed: int, as_json: bool) -> None:
    stages = list(advise(arrivals, plan, seed))
    if as_json:
        document = [
            {
                "changes": {change.setting: change.value for change in stage.changes},
                "outcome": stage.outcome.to_document(),
            }
            for stage in stages
        ]
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(arrivals.description)
    for number, stage in enumerate(stages, 1):
        result = stage.outcome
        drained = "not drained" if result.drain_seconds is None else f"drained after {duration(result.drain_seconds)}"
        click.echo(
            f"\n{number}. {result.throttled_429:,} answered 429, {result.refused_503:,} answered 503, "
            f"{result.dead_lettered:,} dead letters;\n"
            f"   backlog up to {result.peak_backlog:,}, oldest order {duration(result.oldest_order_seconds)}, {drained}"
        )
        if stage.hit:
            click.echo(f"   limit: {stage.hit.limit.value.text}")
            click.echo("   set:   " + " ".join(f"{change.setting}={change.value}" for change in stage.changes))
        for hit in () if stage.hit else result.limits:
            click.echo(f"   left:  {hit.limit.value.text}")


def _print(result: Outcome) -> None:
    click.echo(f"{result.profile}\n")
    table = plain_table(("", "left"), ("", "right"), has_headings=False)
    drained = "not before the end of the run" if result.drain_seconds is None else duration(result.drain_seconds)
    for label, value in (
        ("orders offered", f"{result.offered:,}"),
        ("accepted", f"{result.accepted:,}"),
        ("answered 429", f"{result.throttled_429:,}"),
        ("answered 503", f"{result.refused_503:,}"),
        ("stored", f"{result.stored:,}"),
        ("dead letters: five receives used up", f"{result.dead_lettered:,}"),
        ("expired in the queue", f"{result.expired:,}"),
        ("peak backlog", f"{result.peak_backlog:,}"),
        ("oldest order", duration(result.oldest_order_seconds)),
        ("drained after the last arrival", drained),
        ("wait in the queue, p50 / p99", f"{duration(result.wait_p50_seconds)} / {duration(result.wait_p99_seconds)}"),
        ("orders in a batch, mean", f"{result.batch_fill:.1f}"),
        ("announced", f"{result.announced:,}"),
        ("announcements given up", f"{result.announcements_given_up:,}"),
    ):
        table.add_row(label, value)
    print_table(table)
    if not result.limits:
        click.echo("\nNo limit is met.")
        return
    click.echo("\nLimits met, the first one first:")
    limits = plain_table(("after", "right"), ("what happens", "left"), ("moved by", "left"))
    for hit in result.limits:
        limits.add_row(duration(hit.seconds), hit.limit.value.text, hit.limit.value.setting)
    print_table(limits)
