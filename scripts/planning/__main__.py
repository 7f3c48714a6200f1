"""`orders-plan`: capacity and cost of a deployment, computed without an AWS account."""

import math
import re
import shlex
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from planning.capacity import simulate
from planning.cost import BACKEND, PRICE_TABLE, PROFILES, Bill, Line, Part, Scenario
from planning.settings import PlanningError, Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = (REPOSITORY / "docs" / "scaling.md", REPOSITORY / "docs" / "cost.md")
_BLOCK = re.compile(r"(<!-- `orders-plan ([^`]+)`, by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_DEFAULTS = {setting.name: getattr(Settings(), setting.name) for setting in fields(Settings)}


@click.group()
def planning() -> None:
    """Compute the capacity and the monthly cost of a deployment."""


def main() -> None:
    planning(prog_name="orders-plan")


@planning.command()
def docs() -> None:
    """Update the command output in docs/scaling.md and docs/cost.md; `make docs` runs this."""
    for path in PAGES:
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """Return a page with the current output of each command that it names in a comment."""
    return _BLOCK.sub(
        lambda block: f"{block[1]}\n```\n$ orders-plan {block[2]}\n{_output(block[2])}\n```\n\n{block[3]}", page
    )


def _output(arguments: str) -> str:
    result = CliRunner().invoke(planning, shlex.split(arguments), prog_name="orders-plan")
    if result.exit_code:
        raise PlanningError(f"`orders-plan {arguments}` failed: {result.output.strip()}")
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


# --- Capacity ---------------------------------------------------------------------------------------------------------


class Duration(click.ParamType[float]):
    """A number and s, min, h or d; seconds without a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(s|min|m|h|d)?", value)
        if not match or float(match[1]) <= 0:
            self.fail(f"{value!r} is not a duration: write 90s, 10min, 1h or 1d.", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class Finite(click.FloatRange):
    """A range without infinity and NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@planning.command(short_help="Compute the effect of a load on the deployment.")
@click.option("--rate", type=Finite(min=0, min_open=True), required=True, help="Orders per second.")
@click.option("--for", "seconds", type=Duration(), default="1h", show_default=True)
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True, help="Change a setting.")
def capacity(rate: float, seconds: float, assignments: tuple[str, ...]) -> None:
    """Simulate orders at a constant rate: backlog, drain time, rejected orders and the first limit.

    Uses AWS's documented limits; needs no AWS account. scripts/planning/settings.py lists the settings for --set.
    """
    result = simulate(rate, seconds, parse_settings(assignments))
    click.echo(f"{rate:,.6g} orders/s for {_duration(seconds)}\n")
    drained = "not before the end of the run"
    if result.drain_seconds is not None:
        drained = f"after {_duration(result.drain_seconds)}"
    waits = f"{_duration(result.wait_p50_seconds)} / {_duration(result.wait_p99_seconds)}"
    for label, value in (
        ("orders offered", f"{result.offered:,}"),
        ("accepted", f"{result.accepted:,}"),
        ("rejected with 429", f"{result.throttled_429:,}"),
        ("rejected with 503", f"{result.rejected_503:,}"),
        ("stored", f"{result.stored:,}"),
        ("dead letters", f"{result.dead_lettered:,}"),
        ("peak backlog", f"{result.peak_backlog:,}"),
        ("oldest order", _duration(result.oldest_order_seconds)),
        ("drained", drained),
        ("wait until processed, p50 / p99", waits),
        ("orders per batch, mean", f"{result.orders_per_batch:.1f}"),
        ("announced", f"{result.announced:,}"),
        ("announcements failed", f"{result.announcements_failed:,}"),
    ):
        click.echo(f"{label:32}{value:>20}")
    click.echo("\nLimits reached, in order:" if result.limits else "\nNo limit is reached.")
    for limit, reached in result.limits.items():
        click.echo(f"{_duration(reached):>10}  {limit.effect}\n{'':12}raised by: {limit.raised_by}")


def _duration(seconds: float) -> str:
    """Return a duration such as "1.2 s", or "0:11:27" from two minutes on."""
    return f"{seconds:.3g} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def parse_settings(assignments: tuple[str, ...]) -> Settings:
    """Return the defaults with each NAME=VALUE applied; raise PlanningError for an unknown name or invalid value."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in _DEFAULTS:
            raise PlanningError(f"{name!r} is not a setting: use a name from scripts/planning/settings.py.")
        default = _DEFAULTS[name]
        kind = float if isinstance(default, float) else int
        try:
            changes[name] = None if text == "null" and default is None else kind(text)
        except ValueError:
            whole = "whole " if kind is int else ""
            raise PlanningError(f"{name} must be a {whole}number, not {text!r}: write {name}=NUMBER.") from None
        least = 1e-9 if name.endswith("_seconds") and "window" not in name else 0
        if changes[name] is not None and not least <= changes[name] < float("inf"):
            raise PlanningError(f"{name} must not be {text}.")
    settings = replace(Settings(), **changes)
    if settings.processing_maximum_concurrency < 2:
        raise PlanningError("processing_maximum_concurrency must be at least 2, AWS's minimum.")
    if (settings.processing_reserved_concurrency or 0) > settings.lambda_concurrency:
        raise PlanningError("processing_reserved_concurrency must not exceed lambda_concurrency.")
    return settings


# --- Cost -------------------------------------------------------------------------------------------------------------


@planning.group(invoke_without_command=True, short_help="Compute the cost of a month.")
@click.pass_context
def cost(context: click.Context) -> None:
    """Compute a month's cost from a dated table of AWS's public prices. Without a command, compare four loads."""
    if context.invoked_subcommand is None:
        _print_overview()


@cost.command()
@click.argument("profile", type=click.Choice(list(PROFILES)), required=False)
@click.option("--orders", type=click.IntRange(min=0), help="Orders per month, instead of a profile.")
@click.option("--gets-per-order", type=Finite(min=0), help="Status requests per order.")
@click.option("--visits-per-order", type=Finite(min=0), help="Visits to the storefront per order.")
@click.option("--orders-per-batch", type=Finite(1, 10), help="Mean batch size, instead of the model's.")
@click.option("--batch-window", type=click.IntRange(0, 20), default=0, help="processing_batch_window_seconds.")
@click.option("--log-days", "log_retention_days", type=click.IntRange(min=1), help="log_retention_days.")
@click.option("--snapstart", "has_snapstart", is_flag=True, help="With snap_start_enabled.")
@click.option("--tracing", "is_traced", is_flag=True, help="With tracing_enabled.")
@click.option("--email", "orders_are_mailed", is_flag=True, help="With completed_order_email.")
@click.option("--customer-key", "has_customer_key", is_flag=True, help="With kms_key_arn.")
@click.option("--free-dashboard", "has_free_dashboard", is_flag=True, help="The account has at most three dashboards.")
@click.option("--no-storefront", "has_storefront", flag_value=False, default=True, help="The backend only.")
@click.option("--private-instances", "instances_are_private", is_flag=True, help="With instances_are_private.")
def show(profile: str | None, orders: int | None, batch_window: int, **options: Any) -> None:
    """Show a month's bill: quantity × price = amount, and the reason for the quantity."""
    if (profile is None) == (orders is None):
        raise click.UsageError("Give either a profile or --orders.")
    scenario = PROFILES[profile] if profile else Scenario("custom", orders or 0)
    settings = Settings(processing_batch_window_seconds=batch_window)
    given = {name: value for name, value in options.items() if value is not None}
    month = Bill(replace(scenario, settings=settings, **given))
    click.echo(f"{scenario.name}: {scenario.orders:,} orders in a month of 730 hours, USD\n")
    for part in Part:
        lines = [line for line in month.lines if line.part is part]
        if lines:
            click.echo(f"{part.value}: {month.total(part):,.2f}")
        for line in lines:
            click.echo(f"  {line.name:34}{_calculation(line)}\n  {'':34}{line.reason}")
    click.echo(f"\ntotal {month.total():,.2f}")


def _print_overview() -> None:
    months = [Bill(scenario) for scenario in PROFILES.values()]

    def row(label: str, values: list[str]) -> None:
        click.echo(f"{label:31}" + "".join(f"{value:>17}" for value in values))

    def amounts(label: str, *parts: Part) -> None:
        row(label, [f"{month.total(*parts):,.2f}" for month in months])

    region, read = PRICE_TABLE["region"], PRICE_TABLE["read"]
    click.echo(f"A month in {region}, USD, prices read on {read}, without the free tier.\n")
    row("", list(PROFILES))
    row("orders per month", [f"{month.scenario.orders:,}" for month in months])
    for part in Part:
        if any(month.total(part) for month in months):
            amounts(part.value.partition(":")[0], part)
    amounts("backend", *BACKEND)
    amounts("backend and storefront")


def _calculation(line: Line) -> str:
    per = "" if line.price.per == 1 else f" / {line.price.per:,}"
    quantity = f"{line.quantity:,.0f}" if line.quantity >= 1000 else f"{line.quantity:,.4g}"
    amount = f"{line.amount:,.3f}" if line.amount < 10 else f"{line.amount:,.2f}"
    return f"{quantity} × {line.price.price}{per} = {amount}"


if __name__ == "__main__":
    main()
