"""`orders submit`: one order, or a file of them."""

import json
import os
import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import BinaryIO

import click

from orders.adapters.order_schema import ORDER_RULES
from orders_cli.console import counted, print_json, print_line, print_table, progress, report
from orders_cli.errors import FAILED
from orders_cli.options import Mode, changes_system
from orders_cli.order_api import OrderApi, Submission, Verdict
from orders_cli.order_file import OrderLine, read_orders
from orders_cli.queue import batches
from orders_cli.system import Target

_VISIBLE_ASCII = re.compile("[!-~]+")
_FAILURES = (Verdict.REFUSED, Verdict.NOT_SUBMITTED)

# Concurrent submissions, and lines of a file that are read ahead.
_CONCURRENCY = 8
_CHUNK = 100


@click.command(short_help="Submit one order, or a file of them.")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--customer", "customer_id", help="One order: its customer_id.")
@click.option("--product", "product_id", help="One order: its product_id.")
@click.option("--quantity", help="One order: its quantity.")
@click.option("--date", "order_date", metavar="YYYY-MM-DD", help="One order: its order_date.")
@click.option("--key", help="One order: its Idempotency-Key. Default: each call is a new order.")
@click.option("--batch", help="Name of the batch. Default: the file's name; required for standard input.")
@changes_system
def submit(
    *, file: BinaryIO | None, key: str | None, batch: str | None, mode: Mode, target: Target, **order: str | None
) -> int:
    """Submit one order, or all orders of FILE (- is standard input), to the API.

    \b
    One order:   orders submit --customer 001 --product Banana --quantity 1 --date 2025-04-25
    A file:      orders submit orders.csv

    FILE holds one order per line: JSON objects, or CSV (comma, semicolon or tab) whose header names customer_id,
    product_id, quantity and order_date. A rejected line is reported with its number and its errors. It does not affect
    the others, and the exit status is 1.

    The same file can be submitted again, after an interruption or with corrected lines: no order is placed twice. Two
    equal lines are two orders, and a changed line is a new order. To repeat the orders of an earlier file as new
    orders, name another --batch.

    Each order is retried up to eight times. If the API requires a token, set the variable ORDERS_TOKEN.
    """
    stopped, token = Event(), os.environ.get("ORDERS_TOKEN") or None
    if token is not None and not _VISIBLE_ASCII.fullmatch(token):
        raise click.UsageError("ORDERS_TOKEN is not a token: it may hold visible ASCII characters only.")
    if file is None:
        if None in order.values():
            raise click.UsageError("Give a FILE, or all of --customer, --product, --quantity and --date.")
        if batch:
            raise click.UsageError("--batch applies only to a FILE. For one order, use --key.")
        key = str(uuid.uuid4()) if key is None else key
        if not (_VISIBLE_ASCII.fullmatch(key) and len(key) <= 255):
            raise click.UsageError("An Idempotency-Key is 1 to 255 visible ASCII characters.")
    elif key or any(value is not None for value in order.values()):
        raise click.UsageError("Give either a FILE or one order, not both.")
    elif not batch and file is sys.stdin.buffer:
        raise click.UsageError("Orders on standard input need a --batch, in place of a file's name.")
    else:
        batch = batch or Path(file.name).name
    system, api = target.find(), None
    if not mode.dry_run:
        what = f"the orders of {batch}" if file else "an order"
        mode.confirm(system.question_in_production(f"Submit {what}"))
        api = OrderApi(system.outputs["api_endpoint"], token=token, sleep=stopped.wait)
    if file is None:
        line = OrderLine(1, json.dumps(order).encode("ascii"), str(key))
        return _report_one(_submit(line, api), mode)
    lines = read_orders(file, str(batch), system.table.table_id)
    return _report(_submit_lines(lines, api, stopped), mode)


def _submit_lines(lines: Iterable[OrderLine], api: OrderApi | None, stopped: Event) -> Iterator[tuple[int, Submission]]:
    """Submit the orders of a file and yield the number and result of each line, in the order of the lines.

    Without an `api` nothing is sent. An early end, such as Ctrl-C, sets `stopped` to end the retries of `api`, and then
    waits for the responses in flight.
    """
    pool = ThreadPoolExecutor(_CONCURRENCY)
    try:
        for chunk in batches(lines, _CHUNK):
            results = pool.map(partial(_submit, api=api), chunk)
            yield from zip([line.line for line in chunk], results, strict=True)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _submit(line: OrderLine, api: OrderApi | None) -> Submission:
    if line.unreadable:
        return Submission(Verdict.REFUSED, {"code": "UNREADABLE_LINE", "detail": line.unreadable})
    if api:
        return api.submit(line.body, line.idempotency_key)
    is_valid = ORDER_RULES.is_order(json.loads(line.body))
    return Submission(Verdict.VALID) if is_valid else Submission(Verdict.REFUSED, {"code": "VALIDATION_FAILED"})


def _report_one(submission: Submission, mode: Mode) -> int:
    is_accepted = submission.verdict is Verdict.ACCEPTED
    if mode.as_json:
        print_json({"verdict": submission.verdict.name, **submission.document})
    elif is_accepted:
        print_line(submission.document["order_id"])
    if not is_accepted:
        report(f"the order: {submission.verdict.value} {_why(submission)}".rstrip())
    return FAILED if submission.verdict in _FAILURES else 0


def _report(results: Iterable[tuple[int, Submission]], mode: Mode) -> int:
    tally: Counter[Verdict] = Counter()
    failed: list[tuple[int, str, str]] = []
    is_complete = False
    try:
        label = "Checking" if mode.dry_run else "Submitting"
        with progress(label, None, is_shown=not mode.as_json) as advance:
            for line, submission in results:
                tally[submission.verdict] += 1
                advance(1)
                if mode.as_json:
                    print_json({"line": line, "verdict": submission.verdict.name, **submission.document})
                elif submission.verdict in _FAILURES:
                    failed.append((line, submission.verdict.value, _why(submission)))
        is_complete = True
    finally:
        if failed:
            print_table(("LINE", "VERDICT", "WHY"), failed)
        parts = [f"{tally[verdict]:,} {verdict.value}" for verdict in Verdict if tally[verdict]]
        if tally or is_complete:
            report(f"{counted(tally.total(), 'order')}: {', '.join(parts) or 'the file is empty'}")
        if tally[Verdict.NOT_SUBMITTED] or (tally and not is_complete):
            report("run the same command again for the rest; no order is placed twice")
    return FAILED if any(tally[verdict] for verdict in _FAILURES) else 0


def _why(submission: Submission) -> str:
    document = submission.document
    errors = "; ".join(f"{error['pointer'] or 'the line'} {error['detail']}" for error in document.get("errors", ()))
    # API Gateway's own errors have a message.
    reason = errors or document.get("detail") or document.get("message")
    return " ".join(part for part in (document.get("code"), reason) if part)
