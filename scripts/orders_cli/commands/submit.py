"""`orders submit`: one order, or a file of them."""

import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import click

from orders.domain.order import ProcessedOrder
from orders_cli.console import counted, print_json, print_line, print_table, progress, say
from orders_cli.errors import FAILED, OperatorError
from orders_cli.options import Mode, changes_system
from orders_cli.order_api import OrderApi, Submission, Verdict
from orders_cli.order_file import COLUMNS, OrderLine, UnreadableLine, order_line, read_orders
from orders_cli.table import PAGE_SIZE, OrdersTable

_VERDICTS = {
    Verdict.ACCEPTED: "accepted",
    Verdict.STORED_BEFORE: "stored already, not sent again",
    Verdict.VALID: "valid, would be submitted",
    Verdict.REFUSED: "refused",
    Verdict.NOT_SUBMITTED: "not submitted",
}
_FAILURES = (Verdict.REFUSED, Verdict.NOT_SUBMITTED)

Line = OrderLine | UnreadableLine


@click.command(short_help="Submit one order, or a file of them.")
@click.argument("file", required=False)
@click.option("--customer", "customer_id", help="One order: its customer_id.")
@click.option("--product", "product_id", help="One order: its product_id.")
@click.option("--quantity", help="One order: its quantity.")
@click.option("--date", "order_date", metavar="YYYY-MM-DD", help="One order: its order_date.")
@click.option("--key", help="One order: its Idempotency-Key. Default: each call is a new order.")
@click.option("--batch", help="Name of the batch. Default: the file's name; required for standard input.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Orders submitted at once."
)
@click.option(
    "--token",
    envvar="ORDERS_TOKEN",
    show_envvar=True,
    help="A token, if the API requires one. Prefer the variable: others can see a command line.",
)
@changes_system
def submit(
    *, file: str | None, key: str | None, batch: str | None, concurrency: int, token: str | None, **more: Any
) -> int:
    """Submit one order, or all orders of FILE (- is standard input), to the API.

    \b
    One order:   orders submit --customer 001 --product Banana --quantity 1 --date 2025-04-25
    A file:      orders submit orders.csv

    FILE holds one order per line: JSON objects, or CSV (comma, semicolon or tab) whose header names customer_id,
    product_id, quantity and order_date. A refused line is reported with its number and the errors, does not affect the
    others, and makes the exit status 1.

    The same file can be submitted again, after an interruption or with corrected lines: no order is placed twice. Each
    line has an Idempotency-Key, derived from the batch, its content, the number of equal lines before it and the
    table's id, which outsiders do not know. So two equal lines are two orders, and a changed line is a new order. A
    line that an earlier file of the same batch held is "stored already": to order it again, name another --batch.

    While the API is throttling or unavailable each order is retried, up to eight times.
    """
    stopped = Event()
    if token is not None and not _is_visible_ascii(token):
        raise click.UsageError("ORDERS_TOKEN is not a token: it may hold visible ASCII characters only.")
    mode, target = more.pop("mode"), more.pop("target")
    order = {name: more[name] for name in COLUMNS}
    if file is None:
        if None in order.values():
            raise click.UsageError("Give a FILE, or all of --customer, --product, --quantity and --date.")
        if batch:
            raise click.UsageError("--batch is for a FILE; one order has a --key.")
        key = str(uuid.uuid4()) if key is None else key
        if not (_is_visible_ascii(key) and len(key) <= 255):
            raise click.UsageError("An Idempotency-Key is 1 to 255 visible ASCII characters.")
        # Sent even if it is stored already: the API answers with the same id.
        line = order_line(order, key)
        lines: Iterable[Line] = [line if mode.dry_run else replace(line, order_id=None)]
    elif key or any(value is not None for value in order.values()):
        raise click.UsageError("Give either a FILE or one order, not both.")
    elif file == "-" and not batch:
        raise click.UsageError("Orders on standard input need a --batch, in place of a file's name.")
    with _opened(file) as stream:
        system = target.find()
        what = "an order" if file is None else f"the orders of {file}"
        mode.confirm_in_production(system, f"Submit {what}")
        api = None if mode.dry_run else OrderApi(system.outputs["api_endpoint"], token=token, sleep=stopped.wait)
        if stream is not None:
            lines = read_orders(stream, batch or Path(str(file)).name, system.table.table_id)
        verdicts = submit_lines(lines, api=api, table=system.table, concurrency=concurrency, stopped=stopped)
        return _report_one(verdicts, mode) if file is None else _report(verdicts, mode)


def submit_lines(
    lines: Iterable[Line], *, api: OrderApi | None, table: OrdersTable, concurrency: int, stopped: Event
) -> Iterator[tuple[int, Submission]]:
    """Submit the orders of a file and yield number and result of each line, in their order.

    Without an `api` nothing is sent. An early end, such as Ctrl-C, sets `stopped`, which ends the retries of `api`, and
    waits for the responses of the orders that were sent.
    """
    remaining = iter(lines)
    pool = ThreadPoolExecutor(concurrency)
    try:
        while chunk := list(islice(remaining, PAGE_SIZE)):
            stored = table.orders([line.order_id for line in chunk if isinstance(line, OrderLine) and line.order_id])
            results = pool.map(partial(_submit, api=api, stored=stored), chunk)
            yield from zip([line.line for line in chunk], results, strict=True)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _submit(line: Line, *, api: OrderApi | None, stored: dict[str, ProcessedOrder | None]) -> Submission:
    if isinstance(line, UnreadableLine):
        return Submission(Verdict.REFUSED, code="UNREADABLE_LINE", detail=line.reason)
    if line.order_id in stored:
        found = stored[line.order_id]
        if found is not None and found.order == line.order:
            return Submission(Verdict.STORED_BEFORE, line.order_id)
        return Submission(
            Verdict.REFUSED, line.order_id, "OTHER_ORDER_STORED", "the table holds other content under this order id"
        )
    if api is None:
        verdict = Verdict.REFUSED if line.order is None else Verdict.VALID
        return Submission(verdict, line.order_id, None if line.order else "VALIDATION_FAILED")
    return api.submit(line.body, line.idempotency_key)


def _report_one(results: Iterable[tuple[int, Submission]], mode: Mode) -> int:
    [(_, submission)] = results
    if mode.as_json:
        print_json(_document(None, submission))
    elif submission.verdict is Verdict.ACCEPTED:
        print_line(str(submission.order_id))
    if submission.verdict is not Verdict.ACCEPTED:
        say(f"the order: {_VERDICTS[submission.verdict]} {_why(submission)}".rstrip())
    return FAILED if submission.verdict in _FAILURES else 0


def _is_visible_ascii(text: str) -> bool:
    return bool(text) and all("!" <= character <= "~" for character in text)


def _report(results: Iterable[tuple[int, Submission]], mode: Mode) -> int:
    tally: Counter[Verdict] = Counter()
    failed: list[tuple[int, Submission]] = []
    is_complete = False
    try:
        with progress("Checking" if mode.dry_run else "Submitting", None) as advance:
            for line, submission in results:
                tally[submission.verdict] += 1
                advance(1)
                if mode.as_json:
                    print_json(_document(line, submission))
                elif submission.verdict in _FAILURES:
                    failed.append((line, submission))
        is_complete = True
    finally:
        if failed:
            rows = [(line, _VERDICTS[submission.verdict], _why(submission)) for line, submission in failed]
            print_table(("LINE", "VERDICT", "WHY"), rows)
        parts = [f"{tally[verdict]:,} {words}" for verdict, words in _VERDICTS.items() if tally[verdict]]
        if tally or is_complete:
            say(f"{counted(tally.total(), 'order')}: {', '.join(parts) or 'the file is empty'}")
        if tally[Verdict.NOT_SUBMITTED] or (tally and not is_complete):
            say("run the same command again for the rest; no order is placed twice")
    return FAILED if any(tally[verdict] for verdict in _FAILURES) else 0


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
def _opened(file: str | None) -> Iterator[BinaryIO | None]:
    if file is None or file == "-":
        yield sys.stdin.buffer if file else None
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 closed below, after errors that are not about opening
    except OSError as error:
        raise OperatorError(f"{file} cannot be read ({os.strerror(error.errno or 0)}).") from error
    with stream:
        yield stream
