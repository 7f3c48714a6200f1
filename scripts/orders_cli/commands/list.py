"""`orders list`: the orders of a customer."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import click

from orders.domain.order import ProcessedOrder, format_timestamp
from orders_cli.clock import Moment
from orders_cli.console import counted, print_json_line, print_table, say
from orders_cli.csv_text import csv_line
from orders_cli.errors import OperatorError
from orders_cli.options import SystemCommand, on_system
from orders_cli.system import System
from orders_cli.table import OrdersTable

_COLUMNS = ("order_id", "customer_id", "product_id", "quantity", "order_date", "submitted_at", "processed_at")
_LARGEST_PAGE = 1000


@click.command("list", cls=SystemCommand, short_help="List a customer's stored orders.")
@click.option("--customer", required=True, help="The customer_id.")
@click.option("--since", type=Moment(), help="Only orders submitted at this moment or later.")
@click.option("--until", type=Moment(), help="Only orders submitted at this moment or before.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--oldest-first", is_flag=True, help="In the order they came; else the newest come first.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="json is one object a line.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@on_system
def list_orders(
    *,
    customer: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    oldest_first: bool,
    form: str,
    system: System,
) -> int:
    """List a customer's stored orders by the time they were submitted.

    \b
    orders list --customer 001 --since 7d
    orders list --customer 001 --since 2025-04-01 --until 2025-04-30T23:59:59Z --limit 10000 --format csv > april.csv

    A MOMENT is 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d ago; without an offset it is UTC. If there are more
    orders than the limit, that is said on standard error, with what to type for the next ones. An order
    appears here within about a second after it was stored.

    The CSV is safe to open in a spreadsheet: a field that could be taken for a formula begins with an apostrophe.
    """
    if since and until and since > until:
        raise click.UsageError("--since is later than --until.")
    table = OrdersTable(system.client("dynamodb"), system.outputs["orders_table_name"])
    damaged: list[OperatorError] = []
    found = table.of_customer(
        customer,
        since=format_timestamp(since) if since else None,
        until=format_timestamp(until) if until else None,
        oldest_first=oldest_first,
        page_size=min(limit + 1, _LARGEST_PAGE),
        on_damaged=damaged.append,
    )
    shown = _print(islice(found, limit), form)
    if (following := next(found, None)) is not None:
        end = "since" if oldest_first else "until"
        say(f"there are more: raise --limit, or go on with --{end} {following.submitted_at}")
    else:
        say(counted(shown, "order"))
    for error in damaged:
        say(str(error))
    return 1 if damaged else 0


def _print(orders: Iterator[ProcessedOrder], form: str) -> int:
    """Print orders as they come, but a table when all are there; return how many there were."""
    rows: list[list[object]] = []
    if form == "csv":
        click.echo(csv_line(_COLUMNS), nl=False)
    number = 0
    for order in orders:
        number += 1
        document = order.to_document()
        if form == "json":
            print_json_line(document)
        elif form == "csv":
            click.echo(csv_line([document[name] for name in _COLUMNS]), nl=False)
        else:
            rows.append([document[name] for name in _COLUMNS])
    if form == "table":
        print_table([column.upper() for column in _COLUMNS], rows)
    return number
