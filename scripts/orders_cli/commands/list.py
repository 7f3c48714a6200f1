"""`orders list`: the orders of a customer."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import click

from orders.domain.order import ProcessedOrder, format_timestamp
from orders_cli.clock import Moment
from orders_cli.console import counted, print_json, print_table, say, write
from orders_cli.errors import OperatorError
from orders_cli.options import OrderId, Target, on_system

_COLUMNS = ("order_id", "customer_id", "product_id", "quantity", "order_date", "submitted_at", "processed_at")
_LARGEST_PAGE = 1000

# What a spreadsheet may take for the beginning of a formula, also in full width.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@click.command("list", short_help="List a customer's stored orders.")
@click.option("--customer", required=True, help="The customer_id.")
@click.option("--since", type=Moment(), help="Only orders submitted at this moment or later.")
@click.option("--until", type=Moment(is_end=True), help="Only orders submitted by the end of this day or second.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--after", type=OrderId(), help="Continue after this order, the last one of the page before.")
@click.option("--oldest-first", is_flag=True, help="Oldest orders first. Default: newest first.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@on_system
def list_orders(
    *,
    customer: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    after: str | None,
    oldest_first: bool,
    form: str,
    as_json: bool,
    target: Target,
) -> int:
    """List a customer's stored orders by the time they were submitted. With --json one object per line.

    \b
    orders list --customer 001 --since 7d
    orders list --customer 001 --since 2025-04-01 --until 2025-04-30 --limit 10000 --format csv > april.csv

    A MOMENT is 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d for ago; without an offset it is UTC. If there are
    more orders than the limit, standard error says how to get the next ones. An order appears here within about a
    second after it was stored.

    The CSV is safe to open in a spreadsheet: a field that looks like a formula starts with an apostrophe.
    """
    if since and until and since > until:
        raise click.UsageError("--since is later than --until.")
    damaged: list[OperatorError] = []
    found = target.find().table.of_customer(
        customer.strip(),
        since=format_timestamp(since) if since else None,
        until=format_timestamp(until) if until else None,
        after=after,
        oldest_first=oldest_first,
        page_size=min(limit + 1, _LARGEST_PAGE),
        on_damaged=damaged.append,
    )
    last, number = _print(islice(found, limit), "json" if as_json else form)
    if next(found, None) is not None:
        say(f"there are more: raise --limit, or continue with --after {last}")
    else:
        say(counted(number, "order"))
    for error in damaged:
        say(str(error))
    return 1 if damaged else 0


def _print(orders: Iterator[ProcessedOrder], form: str) -> tuple[str | None, int]:
    rows: list[list[object]] = []
    if form == "csv":
        write(_csv_line(_COLUMNS))
    last, number = None, 0
    for order in orders:
        last, number = order.order_id, number + 1
        document = order.to_document()
        if form == "json":
            print_json(document)
        elif form == "csv":
            write(_csv_line([document[name] for name in _COLUMNS]))
        else:
            rows.append([document[name] for name in _COLUMNS])
    if form == "table":
        print_table([column.upper() for column in _COLUMNS], rows)
    return last, number


def _csv_line(fields: Sequence[object]) -> str:
    line = io.StringIO()
    escaped = [f"'{field}" if str(field).startswith(_FORMULA_STARTS) else field for field in fields]
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(escaped)
    return line.getvalue()
