"""`orders submit`: one order, or a file of them."""

import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import BinaryIO

import click

from orders_cli.console import counted, print_json_line, print_line, print_table, progress, say
from orders_cli.errors import FAILED, OperatorError
from orders_cli.options import SystemCommand, as_json, confirm_in_production, on_system, yes
from orders_cli.order_api import OrderApi, Submission, Verdict
from orders_cli.order_file import OrderLine, UnreadableLine, order_line, read_orders
from orders_cli.submission import submit_lines
from orders_cli.system import System
from orders_cli.table import OrdersTable

_VERDICTS = {
    Verdict.ACCEPTED: "accepted",
    Verdict.STORED_BEFORE: "stored already, not sent again",
    Verdict.REFUSED: "refused",
    Verdict.NOT_SUBMITTED: "not submitted",
}


@click.command(cls=SystemCommand, short_help="Submit one order, or a file of them.")
@click.argument("file", required=False)
@click.option("--customer", help="One order: its customer_id.")
@click.option("--product", help="One order: its product_id.")
@click.option("--quantity", help="One order: how many pieces.")
@click.option("--date", "order_date", metavar="YYYY-MM-DD", help="One order: its order_date.")
@click.option("--key", help="One order: its Idempotency-Key. Left out, each call is a new order.")
@click.option(
    "--batch",
    help="What the keys of a file's lines are derived from. Left out, the file's name; needed for standard input.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Orders on their way at once."
)
@click.option(
    "--token",
    envvar="ORDERS_TOKEN",
    show_envvar=True,
    help="A token, where the API asks for one. Better in the variable: others can see a command line.",
)
@yes
@as_json
@on_system
def submit(
    *,
    file: str | None,
    customer: str | None,
    product: str | None,
    quantity: str | None,
    order_date: str | None,
    key: str | None,
    batch: str | None,
    concurrency: int,
    token: str | None,
    yes: bool,
    as_json: bool,
    system: System,
) -> int:
    """Submit one order, or all orders of FILE (- is standard input), to the API.

    \b
    One order:   orders submit --customer 001 --product Banana --quantity 1 --date 2025-04-25
    A file:      orders submit orders.csv

    FILE holds one order a line: JSON objects, or CSV (comma, semicolon or tab) whose header names customer_id,
    product_id, quantity and order_date. What an order must be is for the API to say; a line that is refused is
    reported with its number and what is wrong with it, and leaves the others alone. The exit status is 1 then.

    The same file can be submitted again, after an interruption or with refused lines mended: nothing is ordered twice.
    Each line has an Idempotency-Key, derived from the batch (the file's name), from what it says and from how many
    equal lines came before it. So two equal lines are two orders, and a line that has changed is a new order. A new
    file under a used name that repeats an old line does not order it again: it is told as "stored already". Where
    it should be, name another --batch.

    While the API is throttling or not available each order is tried again, up to eight times.
    """
    api_stopped = Event()
    if token is not None and not _is_visible_ascii(token):
        raise click.UsageError("ORDERS_TOKEN is no token: it holds other characters than visible ASCII ones.")
    api = OrderApi(system.outputs["api_endpoint"], token=token, sleep=api_stopped.wait)
    order = {"customer_id": customer, "product_id": product, "quantity": quantity, "order_date": order_date}
    if file is None:
        missing = [name for name, value in order.items() if value is None]
        if missing:
            raise click.UsageError("Give a FILE, or all of --customer, --product, --quantity and --date.")
        if batch:
            raise click.UsageError("--batch is for a FILE; one order has a --key.")
        confirm_in_production(system, "Submit an order", already=yes)
        return _submit_one(api, order_line(order, batch=""), str(uuid.uuid4()) if key is None else key, as_json)
    if key or any(value is not None for value in order.values()):
        raise click.UsageError("Give either a FILE or one order, not both.")
    if file == "-" and not batch:
        raise click.UsageError("Orders on standard input need a --batch, which takes the place of a file's name.")
    table = OrdersTable(system.client("dynamodb"), system.outputs["orders_table_name"])
    with _opened(file) as stream:
        confirm_in_production(system, f"Submit the orders of {file}", already=yes)
        lines = read_orders(stream, batch or Path(file).name)
        verdicts = submit_lines(lines, api=api, table=table, concurrency=concurrency, stopped=api_stopped)
        return _report(verdicts, as_json)


def _submit_one(api: OrderApi, line: OrderLine | UnreadableLine, key: str, as_json: bool) -> int:
    assert isinstance(line, OrderLine)
    if not (_is_visible_ascii(key) and len(key) <= 255):
        raise click.UsageError("An Idempotency-Key is 1 to 255 visible ASCII characters.")
    submission = api.submit(line.body, key)
    if as_json:
        print_json_line(_document(None, submission))
    elif submission.verdict is Verdict.ACCEPTED:
        print_line(str(submission.order_id))
    if submission.verdict is not Verdict.ACCEPTED:
        say(f"the order was {_VERDICTS[submission.verdict]}: {_why(submission)}")
        return FAILED
    return 0


def _is_visible_ascii(text: str) -> bool:
    return bool(text) and all("!" <= character <= "~" for character in text)


def _report(verdicts: Iterable[tuple[int, Submission]], as_json: bool) -> int:
    tally: Counter[Verdict] = Counter()
    failed: list[tuple[int, Submission]] = []
    try:
        with progress("Submitting", None) as advance:
            for line, submission in verdicts:
                tally[submission.verdict] += 1
                advance(1)
                if as_json:
                    print_json_line(_document(line, submission))
                elif submission.verdict in (Verdict.REFUSED, Verdict.NOT_SUBMITTED):
                    failed.append((line, submission))
        if not tally:
            say("0 orders: the file is empty")
    finally:
        if failed:
            print_table(
                ("LINE", "VERDICT", "WHY"),
                [(line, _VERDICTS[submission.verdict], _why(submission)) for line, submission in failed],
            )
        if tally:
            parts = [f"{tally[verdict]:,} {words}" for verdict, words in _VERDICTS.items() if tally[verdict]]
            say(f"{counted(tally.total(), 'order')}: {', '.join(parts)}")
        if tally[Verdict.NOT_SUBMITTED]:
            say("run the same command again for those not submitted; nothing is ordered twice")
    return FAILED if tally[Verdict.REFUSED] or tally[Verdict.NOT_SUBMITTED] else 0


def _document(line: int | None, submission: Submission) -> dict[str, object]:
    fields = {
        "line": line,
        "verdict": submission.verdict.value,
        "order_id": submission.order_id,
        "code": submission.code,
        "detail": submission.detail,
        "errors": list(submission.errors) or None,
        "request_id": submission.request_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _why(submission: Submission) -> str:
    errors = "; ".join(f"{error['pointer'] or 'the line'} {error['detail']}" for error in submission.errors)
    return " ".join(part for part in (submission.code, errors or submission.detail) if part)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 closed below, and what happens in between is no error of opening
    except OSError as error:
        raise OperatorError(f"{file} cannot be read ({os.strerror(error.errno or 0)}).") from error
    with stream:
        yield stream
