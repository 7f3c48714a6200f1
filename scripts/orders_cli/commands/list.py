"""`orders list`: the orders of a customer."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

import click

from orders.domain.order import format_timestamp
from orders_cli.console import counted, print_json, print_table, say, write
from orders_cli.errors import FAILED, OperatorError
from orders_cli.options import Moment, Target, on_system
from orders_cli.table import read_order

_COLUMNS = ("order_id", "customer_id", "product_id", "quantity", "order_date", "submitted_at", "processed_at")
_LARGEST_PAGE = 1000

# Characters that start a formula in a spreadsheet, including full-width forms.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@click.command("list", short_help="List a customer's stored orders.")
@click.option("--customer", required=True, help="The customer_id.")
@click.option("--since", type=Moment(), help="Only orders submitted at this moment or later.")
@click.option("--until", type=Moment(is_end=True), help="Only orders submitted by the end of this day or second.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of orders.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@on_system
def list_orders(
    *,
    customer: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    form: str,
    as_json: bool,
    target: Target,
) -> int:
    """List a customer's stored orders, newest first. --json prints one object per line.

    \b
    orders list --customer 001 --since 7d
    orders list --customer 001 --since 2025-04-01 --until 2025-04-30 --limit 10000 --format csv > april.csv

    A MOMENT is a date (2025-04-25), a time (2025-04-25T10:00:00Z), or a time before now (90m, 24h, 7d). A time without
    an offset is UTC. If there are more orders than the limit, a message on standard error explains how to get them. An
    order appears here about a second after it was stored.

    The CSV is safe to open in a spreadsheet: a field that looks like a formula starts with an apostrophe.
    """
    if since and until and since > until:
        raise click.UsageError("--since is later than --until.")
    items = target.find().table.items_of_customer(
        customer.strip(),
        # Without --since or --until, the first or last possible moment.
        format_timestamp(since) if since else "0",
        format_timestamp(until) if until else "9999",
        page_size=min(limit + 1, _LARGEST_PAGE),
    )
    documents: list[dict[str, object]] = []
    damaged = []
    for item in islice(items, limit):
        try:
            documents.append(read_order(item).to_document())
        except OperatorError as error:
            damaged.append(str(error))
    if as_json:
        for document in documents:
            print_json(document)
    elif form == "csv":
        write("".join(_csv_line(row) for row in (_COLUMNS, *(map(document.get, _COLUMNS) for document in documents))))
    else:
        rows = [[document[name] for name in _COLUMNS] for document in documents]
        print_table([column.upper() for column in _COLUMNS], rows)
    is_more = next(items, None) is not None
    more = "there are more: raise --limit, or choose a period with --since and --until"
    say(more if is_more else counted(len(documents), "order"))
    for sentence in damaged:
        say(sentence)
    return FAILED if damaged else 0


def _csv_line(fields: Iterable[object]) -> str:
    line = io.StringIO()
    escaped = [f"'{field}" if str(field).startswith(_FORMULA_STARTS) else field for field in fields]
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(escaped)
    return line.getvalue()
