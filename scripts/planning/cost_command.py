"""`orders-plan cost`: what a month costs, each line explained, and what changes it."""

import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import click

from planning.bill import Bill, Choices, Line, Part, bill
from planning.footprint import FOOTPRINT
from planning.price_table import PriceTable, load_price_table
from planning.printing import plain_table, print_table
from planning.workload import PROFILES, Workload

TARGET_PER_MILLION = Decimal("3.80")
TARGET = Workload("target", 1_000_000, batch_fill=10)
_BACKEND = tuple(part for part in Part if part is not Part.STOREFRONT)

_MOVERS: dict[Part, str] = {
    Part.STATUS: "how often the page asks (--gets-per-order)",
    Part.WATCHING: "tracing and the length of the log's lines; fewer traces in a second at higher rates",
    Part.MAIL: 'completed_order_email = "none", and a queue or function as subscriber',
    Part.KEEPING: "deleting old orders (--months-kept)",
    Part.TRANSFER: "nothing",
    Part.KEY: "kms_key_arn",
}

VARIANTS = {
    "as deployed": Choices(has_storefront=False),
    "nobody mailed about completed orders": Choices(has_storefront=False, completion_is_mailed=False),
    "no tracing": Choices(has_storefront=False, is_traced=False),
    "no customer index": Choices(has_storefront=False, has_customer_index=False),
    "REST API, batch size 1": Choices(has_storefront=False, is_rest_api=True, processing_batch_size=1),
    "SnapStart for submission and status": Choices(has_storefront=False, is_snapstart=True),
    "a key of one's own": Choices(has_storefront=False, has_customer_key=True),
}


@click.group(invoke_without_command=True, short_help="Tell what a month costs.")
@click.pass_context
def cost(context: click.Context) -> None:
    """Tell what a month costs in AWS's public prices, from a dated table in this repository.

    Without a command: four loads side by side.
    """
    if context.invoked_subcommand is None:
        print_overview()


@cost.command()
@click.argument("profile", type=click.Choice(list(PROFILES)), required=False)
@click.option("--orders", type=click.IntRange(min=0), help="Orders a month, instead of a profile.")
@click.option("--gets-per-order", type=click.FloatRange(min=0), help="Looks at an order's status.")
@click.option("--visits-per-order", type=click.FloatRange(min=0), help="Visits to the storefront for each order.")
@click.option("--batch-fill", type=click.FloatRange(1, 10), help="Orders in a batch, instead of the model's.")
@click.option("--months-kept", type=click.IntRange(min=0), help="Months of orders in the table.")
@click.option("--rest-api", is_flag=True, help="As if the API were a REST API.")
@click.option("--batch-size", type=click.IntRange(1, 10), default=10, show_default=True)
@click.option("--no-customer-index", is_flag=True, help="As if the table had no index.")
@click.option("--snapstart", is_flag=True, help="SnapStart for submission and status.")
@click.option("--no-tracing", is_flag=True, help="As if X-Ray were off.")
@click.option("--no-email", is_flag=True, help='completed_order_email = "none".')
@click.option("--customer-key", is_flag=True, help="With kms_key_arn.")
@click.option("--log-days", type=click.IntRange(min=1), default=30, show_default=True, help="log_retention_days.")
@click.option("--no-storefront", is_flag=True, help="The backend alone.")
@click.option("--instances", type=click.IntRange(min=1), help="Web servers, instead of min_size.")
@click.option("--private-instances", is_flag=True, help="instances_are_private: with NAT gateways.")
@click.option("--free-tier", is_flag=True, help="Count what AWS gives free, as if nothing else used it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(profile: str | None, orders: int | None, free_tier: bool, as_json: bool, **options: Any) -> None:
    """Show the bill of a month line by line: quantity × price = amount, and why."""
    if (profile is None) == (orders is None):
        raise click.UsageError("Name a profile or give --orders, one of the two.")
    workload = PROFILES[profile] if profile else Workload("custom", orders or 0)
    for option, name in (
        ("gets_per_order", "gets_per_order"),
        ("visits_per_order", "visits_per_order"),
        ("batch_fill", "batch_fill"),
        ("months_kept", "months_kept"),
    ):
        if options[option] is not None:
            workload = replace(workload, **{name: options[option]})
    choices = Choices(
        is_rest_api=options["rest_api"],
        processing_batch_size=options["batch_size"],
        has_customer_index=not options["no_customer_index"],
        is_snapstart=options["snapstart"],
        is_traced=not options["no_tracing"],
        completion_is_mailed=not options["no_email"],
        has_customer_key=options["customer_key"],
        log_retention_days=options["log_days"],
        has_storefront=not options["no_storefront"],
        instances=options["instances"],
        instances_are_private=options["private_instances"],
    )
    table = load_price_table()
    month = bill(workload, choices, table, FOOTPRINT, counts_free_quantities=free_tier)
    if as_json:
        click.echo(json.dumps(_document(month, table), indent=2))
    else:
        print_bill(month, table)


@cost.command()
@click.option("--profile", type=click.Choice(list(PROFILES)), default="million-a-month", show_default=True)
@click.option("--batch-fill", type=click.FloatRange(1, 10), help="Orders in a batch, instead of the model's.")
def compare(profile: str, batch_fill: float | None) -> None:
    """Compare the backend with how it could have been built, or could be set."""
    print_comparison(replace(PROFILES[profile], batch_fill=batch_fill))


@cost.command()
def target() -> None:
    """Tell whether a million orders stay under the target, at full batches, and what would move them."""
    print_target()


@cost.command()
def prices() -> None:
    """List the prices, where each is set and where and when it was read."""
    table = load_price_table()
    click.echo(f"{table.region}, {table.currency}, looked up on {table.read}\n")
    for price in table.prices.values():
        click.echo(f"{price.name}: {price.price} for {price.per:,} {price.unit}")
        click.echo(f"    set by {price.source}\n    seen at {price.seen}, page of {price.page_date}")


def print_overview() -> None:
    """Print the profiles side by side."""
    prices_ = load_price_table()
    click.echo(
        f"A month in {prices_.region}, {prices_.currency}, prices looked up on {prices_.read}, nothing free counted.\n"
    )
    table = plain_table(("", "left"), *((name, "right") for name in PROFILES))
    bills = [bill(workload, Choices(), prices_, FOOTPRINT) for workload in PROFILES.values()]
    table.add_row("orders a month", *(f"{month.workload.orders:,}" for month in bills))
    for part in Part:
        if any(month.total(part) for month in bills):
            table.add_row(part.value.partition(":")[0], *(_dollars(month.total(part)) for month in bills))
    table.add_row("backend", *(_dollars(month.total(*_BACKEND)) for month in bills))
    table.add_row("backend and storefront", *(_dollars(month.total()) for month in bills))
    table.add_row(
        "backend, each million more",
        *(_dollars(month.per_million(*_BACKEND)) if month.workload.orders else "" for month in bills),
    )
    print_table(table)


def print_bill(month: Bill, prices_: PriceTable) -> None:
    """Print every line of a bill."""
    click.echo(f"{month.workload.name}: {month.workload.orders:,} orders in a month of 730 hours, {prices_.currency}\n")
    for part in Part:
        lines = [line for line in month.lines if line.part is part]
        if not lines:
            continue
        click.echo(f"{part.value}: {_dollars(month.total(part))}")
        for line in lines:
            click.echo(f"  {line.what:34}{_calculation(line, prices_)}")
            moved = f"; {line.moved_by}" if line.moved_by else ""
            click.echo(f"  {'':34}{line.why}{moved}")
    click.echo(f"\ntotal {_dollars(month.total())}")
    if month.workload.orders:
        click.echo(f"each million orders more {_dollars(month.per_million())}")


def print_comparison(workload: Workload) -> None:
    """Print the variants of the backend side by side."""
    prices_ = load_price_table()
    fill = "" if workload.batch_fill is None else f" and {workload.batch_fill:g} orders in a batch"
    click.echo(f"The backend at {workload.orders:,} orders a month{fill}, {prices_.currency}\n")
    table = plain_table(("", "left"), ("a month", "right"), ("difference", "right"), ("each million more", "right"))
    base = bill(workload, VARIANTS["as deployed"], prices_, FOOTPRINT)
    for name, choices in VARIANTS.items():
        month = bill(workload, choices, prices_, FOOTPRINT)
        difference = month.total() - base.total()
        table.add_row(
            name, _dollars(month.total()), f"{difference:+,.2f}" if difference else "", _dollars(month.per_million())
        )
    print_table(table)


def print_target() -> None:
    """Print what a million orders cost at full batches, part by part, against the target."""
    prices_ = load_price_table()
    month = bill(TARGET, Choices(has_storefront=False), prices_, FOOTPRINT)
    own = month.per_million(Part.PATH)
    everything = month.per_million(*_BACKEND)
    click.echo(
        f"A million orders at a batch fill of 10, besides what is paid without orders;\n"
        f"the target is {_dollars(TARGET_PER_MILLION)}.\n"
    )
    for line in sorted(month.lines, key=lambda line: -line.amount):
        if line.part is Part.PATH and not line.is_fixed:
            click.echo(f"  {line.what:34}{_calculation(line, prices_)}")
    click.echo(f"\n{_verdict(own)}: {_dollars(own)} for {Part.PATH.value}, notifications by SNS included.")
    click.echo(f"{_verdict(everything)}: {_dollars(everything)} with all that comes along:")
    for part in _BACKEND:
        amount = month.per_million(part)
        if part is not Part.PATH and amount:
            click.echo(f"  {_dollars(amount):>7}  {part.value}; {_MOVERS[part]}")


def _verdict(amount: Decimal) -> str:
    return "Met" if amount <= TARGET_PER_MILLION else "Not met"


def _calculation(line: Line, prices_: PriceTable) -> str:
    price = prices_.prices[line.price]
    per = "" if price.per == 1 else f" / {price.per:,}"
    quantity = f"{line.quantity:,.0f}" if line.quantity >= 1000 else f"{line.quantity:,.4g}"
    amount = f"{line.amount:,.3f}" if line.amount < 10 else _dollars(line.amount)
    return f"{quantity} × {price.price}{per} = {amount}"


def _dollars(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _document(month: Bill, prices_: PriceTable) -> dict[str, Any]:
    return {
        "workload": asdict(month.workload),
        "choices": asdict(month.choices),
        "region": prices_.region,
        "currency": prices_.currency,
        "prices_read": prices_.read.isoformat(),
        "lines": [
            {
                "part": line.part.name.lower(),
                "what": line.what,
                "quantity": float(line.quantity),
                "price": line.price,
                "amount": float(round(line.amount, 6)),
                "why": line.why,
                "is_fixed": line.is_fixed,
            }
            for line in month.lines
        ],
        "total": float(round(month.total(), 6)),
        "per_million": float(round(month.per_million(), 6)),
    }
