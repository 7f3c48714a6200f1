"""`orders-plan cost`: what a month costs, line by line."""

import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import click

from planning.cost import BACKEND, PROFILES, Bill, Choices, Line, Part, Workload, bill, load_prices

TARGET_PER_MILLION = Decimal("3.80")
TARGET = Workload("target", 1_000_000, orders_per_batch=10)

VARIANTS = {
    "as deployed": Choices(has_storefront=False),
    "an e-mail per order": Choices(has_storefront=False, orders_are_mailed=True),
    "no tracing": Choices(has_storefront=False, is_traced=False),
    "no customer index": Choices(has_storefront=False, has_customer_index=False),
    "REST API, batch size 1": Choices(has_storefront=False, is_rest_api=True, batch_size=1),
    "SnapStart for submission and status": Choices(has_storefront=False, has_snapstart=True),
    "customer-managed key": Choices(has_storefront=False, has_customer_key=True),
}


@click.group(invoke_without_command=True, short_help="Compute the cost of a month.")
@click.pass_context
def cost(context: click.Context) -> None:
    """Compute the cost of a month from AWS's public prices, in a dated table. Without a command: four loads."""
    if context.invoked_subcommand is None:
        _print_overview()


@cost.command()
@click.argument("profile", type=click.Choice(list(PROFILES)), required=False)
@click.option("--orders", type=click.IntRange(min=0), help="Orders per month, instead of a profile.")
@click.option("--gets-per-order", type=click.FloatRange(min=0), help="Status requests per order.")
@click.option("--visits-per-order", type=click.FloatRange(min=0), help="Visits to the storefront per order.")
@click.option("--orders-per-batch", type=click.FloatRange(1, 10), help="Instead of the model's.")
@click.option("--months-kept", type=click.IntRange(min=0), help="Months of orders in the table.")
@click.option("--rest-api", is_flag=True, help="With a REST API.")
@click.option("--batch-size", type=click.IntRange(1, 10), default=10, show_default=True)
@click.option("--no-customer-index", is_flag=True, help="Without the table's index.")
@click.option("--snapstart", is_flag=True, help="With snap_start_enabled.")
@click.option("--no-tracing", is_flag=True, help="Without X-Ray.")
@click.option("--email", is_flag=True, help="With completed_order_email.")
@click.option("--customer-key", is_flag=True, help="With kms_key_arn.")
@click.option("--log-days", type=click.IntRange(min=1), default=30, show_default=True, help="log_retention_days.")
@click.option("--no-storefront", is_flag=True, help="The backend only.")
@click.option("--instances", type=click.IntRange(min=1), help="Web servers, instead of min_size.")
@click.option("--private-instances", is_flag=True, help="With instances_are_private: NAT gateways.")
@click.option("--free-tier", is_flag=True, help="Subtract AWS's free quantities.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(profile: str | None, orders: int | None, free_tier: bool, as_json: bool, **options: Any) -> None:
    """Show a month's bill: quantity × price = amount, and why."""
    if (profile is None) == (orders is None):
        raise click.UsageError("Name a profile or give --orders, one of the two.")
    workload = PROFILES[profile] if profile else Workload("custom", orders or 0)
    given = ("gets_per_order", "visits_per_order", "orders_per_batch", "months_kept")
    workload = replace(workload, **{name: options[name] for name in given if options[name] is not None})
    choices = Choices(
        is_rest_api=options["rest_api"],
        batch_size=options["batch_size"],
        has_customer_index=not options["no_customer_index"],
        has_snapstart=options["snapstart"],
        is_traced=not options["no_tracing"],
        orders_are_mailed=options["email"],
        has_customer_key=options["customer_key"],
        log_retention_days=options["log_days"],
        has_storefront=not options["no_storefront"],
        instances=options["instances"],
        instances_are_private=options["private_instances"],
    )
    month = bill(workload, choices, load_prices(), free_tier=free_tier)
    if as_json:
        click.echo(json.dumps(_document(month), indent=2))
    else:
        _print_bill(month)


@cost.command()
@click.option("--profile", type=click.Choice(list(PROFILES)), default="million-a-month", show_default=True)
@click.option("--orders-per-batch", type=click.FloatRange(1, 10), help="Instead of the model's.")
def compare(profile: str, orders_per_batch: float | None) -> None:
    """Compare the backend with other settings and designs."""
    workload, table = replace(PROFILES[profile], orders_per_batch=orders_per_batch), load_prices()
    click.echo(f"The backend at {workload.orders:,} orders per month, {table.currency}\n")
    click.echo(f"{'':38}{'per month':>10}{'difference':>12}{'per million more':>18}")
    base = bill(workload, VARIANTS["as deployed"], table)
    for name, choices in VARIANTS.items():
        month = bill(workload, choices, table)
        difference = month.total() - base.total()
        change = f"{difference:+,.2f}" if difference else ""
        click.echo(f"{name:38}{_dollars(month.total()):>10}{change:>12}{_dollars(month.per_million()):>18}")


@cost.command()
def target() -> None:
    """Compare the variable cost of a million orders in full batches with the target."""
    month = bill(TARGET, Choices(has_storefront=False), load_prices())
    path, everything = month.per_million(Part.PATH), month.per_million(*BACKEND)
    click.echo(f"A million orders in full batches, without fixed costs; target: {_dollars(TARGET_PER_MILLION)}\n")
    for line in sorted(month.lines, key=lambda line: -line.amount):
        if line.part is Part.PATH and not line.is_fixed:
            click.echo(f"  {line.what:34}{_calculation(line)}")
    click.echo(f"\n{_verdict(path)}: {_dollars(path)} for {Part.PATH.value}.")
    click.echo(f"{_verdict(everything)}: {_dollars(everything)} with the rest of the backend:")
    for part in BACKEND:
        if part is not Part.PATH and (amount := month.per_million(part)):
            click.echo(f"  {_dollars(amount):>7}  {part.value}")


@cost.command()
def prices() -> None:
    """List the prices with their sources and dates."""
    table = load_prices()
    click.echo(f"{table.region}, {table.currency}, read on {table.read}\n")
    for price in table.prices.values():
        click.echo(f"{price.name}: {price.price} per {price.per:,} {price.unit}")
        click.echo(f"    set by {price.source}\n    seen at {price.seen}, page date {price.page_date}")


def _print_overview() -> None:
    table = load_prices()
    months = [bill(workload, Choices(), table) for workload in PROFILES.values()]

    def row(label: str, values: list[str]) -> None:
        click.echo(f"{label:31}" + "".join(f"{value:>17}" for value in values))

    click.echo(f"A month in {table.region}, {table.currency}, prices read on {table.read}, without the free tier.\n")
    row("", list(PROFILES))
    row("orders per month", [f"{month.workload.orders:,}" for month in months])
    for part in Part:
        if any(month.total(part) for month in months):
            row(part.value.partition(":")[0], [_dollars(month.total(part)) for month in months])
    row("backend", [_dollars(month.total(*BACKEND)) for month in months])
    row("backend and storefront", [_dollars(month.total()) for month in months])
    each = [_dollars(month.per_million(*BACKEND)) if month.workload.orders else "" for month in months]
    row("backend, per million more", each)


def _print_bill(month: Bill) -> None:
    click.echo(f"{month.workload.name}: {month.workload.orders:,} orders in a month of 730 hours, USD\n")
    for part in Part:
        lines = [line for line in month.lines if line.part is part]
        if lines:
            click.echo(f"{part.value}: {_dollars(month.total(part))}")
        for line in lines:
            changed_by = f"; changed by {line.changed_by}" if line.changed_by else ""
            click.echo(f"  {line.what:34}{_calculation(line)}\n  {'':34}{line.why}{changed_by}")
    click.echo(f"\ntotal {_dollars(month.total())}")
    if month.workload.orders:
        click.echo(f"per million orders more {_dollars(month.per_million())}")


def _verdict(amount: Decimal) -> str:
    return "Met" if amount <= TARGET_PER_MILLION else "Not met"


def _calculation(line: Line) -> str:
    per = "" if line.price.per == 1 else f" / {line.price.per:,}"
    quantity = f"{line.quantity:,.0f}" if line.quantity >= 1000 else f"{line.quantity:,.4g}"
    amount = f"{line.amount:,.3f}" if line.amount < 10 else _dollars(line.amount)
    return f"{quantity} × {line.price.price}{per} = {amount}"


def _dollars(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _document(month: Bill) -> dict[str, Any]:
    table = load_prices()
    return {
        "workload": asdict(month.workload),
        "choices": asdict(month.choices),
        "region": table.region,
        "currency": table.currency,
        "prices_read": table.read.isoformat(),
        "lines": [
            {
                "part": line.part.name.lower(),
                "what": line.what,
                "quantity": float(line.quantity),
                "price": line.price.name,
                "amount": float(round(line.amount, 6)),
                "why": line.why,
                "is_fixed": line.is_fixed,
            }
            for line in month.lines
        ],
        "total": float(round(month.total(), 6)),
        "per_million": float(round(month.per_million(), 6)),
    }
