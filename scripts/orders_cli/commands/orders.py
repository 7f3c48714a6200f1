"""`orders show`, `list`, `trace` and `notify`: find orders, and repeat their notifications."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders.domain.order_id import parse_order_id
from orders_cli import notifications
from orders_cli.console import counted, print_fields, print_json, print_table, progress, report, write
from orders_cli.dead_letters import dead_letter, with_reasons
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.log import LOG_DAYS, LogEvent
from orders_cli.options import Mode, Moment, OrderId, changes_system, customer_option, on_system, utc_now
from orders_cli.queue import batches, peek
from orders_cli.system import System, Target
from orders_cli.table import Item, read_order

# Orders and messages have UUIDs; request ids come from API Gateway, such as JKJaXmPLvHcESHA=.
_ID = re.compile(r"[A-Za-z0-9=+/_-]{8,128}")

# An order's message is in the queue for at most 4 days.
_LONGEST_PENDING = timedelta(days=4)
_MAXIMUM_RECEIVES = 5
# The maximum lag of SQS's counts and of events in CloudWatch Logs.
_COUNTS_LATE = timedelta(minutes=1)

_STORED = ("order_stored", "order_duplicate")


@click.command(short_help="Show an order or its location.")
@click.argument("order_id", type=OrderId())
@on_system
def show(order_id: str, as_json: bool, target: Target) -> int:
    """Show the order ORDER_ID, or its location.

    \b
    PROCESSED    stored; the order is shown
    DEAD_LETTER  in the dead-letter queue, for the reason shown; see `orders dlq show --order ORDER_ID`
    PENDING      accepted and not stored yet: it waits in the queue, or is being retried
    DELETED      stored once, then erased or lost; see `orders restore --help`
    NOT_FOUND    accepted, but neither in the table nor in a queue: dropped to a file, or hidden
    UNKNOWN      never logged by this system: an id of another deployment, or older than the log

    The exit status is 3 for the last three statuses and for an id whose checksum is wrong. It is 1 if the order may be
    among hidden dead letters.
    """
    fields, exit_status = _locate(target.find(), order_id, utc_now())
    if as_json:
        print_json(fields, indent=2)
    else:
        print_fields(fields)
    return exit_status


def _locate(system: System, order_id: str, now: datetime) -> tuple[dict[str, Any], int]:
    """Return the location of an order, and the exit status. Ignore dead letters of stored orders: they are copies."""
    table = system.table
    if stored := table.find(order_id):
        return {"status": "PROCESSED", **stored.to_document()}, 0
    letters, hidden = peek(system.queue("orders_dlq"), dead_letter)
    if own := [letter for letter in letters if letter.order_id == order_id]:
        [letter] = with_reasons([max(own, key=lambda letter: letter.sent_at)], system.log)
        document = {"status": "DEAD_LETTER", "what_to_do": letter.reason.kind.value, **letter.document()}
        return document, 0
    waiting = system.queue("orders_queue").depth().total
    events = system.log.trace(order_id, since=now - timedelta(days=LOG_DAYS))
    # It may have been stored since the first read.
    if stored := table.find(order_id):
        return {"status": "PROCESSED", **stored.to_document()}, 0
    # How long the order can be in the queue after its last event.
    longest = _LONGEST_PENDING if waiting else _COUNTS_LATE
    if not events:
        status, detail = "UNKNOWN", f"not in the table, the dead-letter queue or the logs of the last {LOG_DAYS} days"
    elif any(event.name in _STORED for event in events):
        status, detail = "DELETED", "no longer in the table: erased, or lost; see `orders restore --help`"
    elif int(events[-1].fields.get("receives", 0)) < _MAXIMUM_RECEIVES and now - events[-1].time < longest:
        status, detail = "PENDING", ""
    else:
        status, detail = "NOT_FOUND", "not found; search the files of `orders dlq drop` for its id"
        if waiting:
            detail += f", unless it was redriven and is among {counted(waiting, 'message')} in the orders queue"
    if hidden and status in ("UNKNOWN", "NOT_FOUND"):
        detail += f"; {counted(hidden, 'dead letter')} hidden: run this again in a minute"
    fields = {"order_id": order_id, "status": status, **_times(events), "detail": detail}
    exit_status = 0 if status == "PENDING" else FAILED if hidden and status != "DELETED" else NOT_FOUND
    return {name: value for name, value in fields.items() if value}, exit_status


def _times(events: list[LogEvent]) -> dict[str, str]:
    times: dict[str, str] = {}
    for event in events:
        if event.name == "order_accepted":
            times.setdefault("accepted_at", format_timestamp(event.time))
        elif event.name in _STORED:
            times.setdefault("stored_at", format_timestamp(event.time))
        times["last_event"] = f"{event.name} at {format_timestamp(event.time)}"
    return times


_COLUMNS = ("order_id", "customer_id", "product_id", "quantity", "order_date", "submitted_at", "processed_at")

# Characters that start a formula in a spreadsheet, including full-width forms.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@click.command("list", short_help="List a customer's stored orders.")
@customer_option
@click.option("--since", type=Moment(), help="Only orders submitted at this moment or later.")
@click.option("--until", "end", type=Moment(is_end=True), help="Only those submitted by the end of this day or second.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of orders.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@on_system
def list_orders(
    *, customer: str, since: datetime | None, end: datetime | None, limit: int, form: str, target: Target, as_json: bool
) -> int:
    """List a customer's stored orders, newest first. --json prints one object per line.

    \b
    orders list --customer 001 --since 7d
    orders list --customer 001 --since 2025-04-01 --until 2025-04-30 --limit 10000 --format csv > april.csv

    A MOMENT is a date (2025-04-25), a time (2025-04-25T10:00:00Z), or a time before now (90m, 24h, 7d), in UTC unless
    it has an offset. An order appears here about a second after it was stored. The CSV is safe to open in a
    spreadsheet: a field that looks like a formula starts with an apostrophe.
    """
    if since and end and since > end:
        raise click.UsageError("--since is later than --until.")
    items = target.find().table.items_of_customer(
        customer,
        # Without --since or --until, the first or last possible moment.
        format_timestamp(since) if since else "0",
        format_timestamp(end) if end else "9999",
        page_size=min(limit + 1, 1000),
    )
    documents, is_damaged = [], False
    for item in islice(items, limit):
        try:
            documents.append(read_order(item).to_document())
        except OperatorError as error:
            report(str(error))
            is_damaged = True
    rows = [[document[name] for name in _COLUMNS] for document in documents]
    if as_json:
        for document in documents:
            print_json(document)
    elif form == "csv":
        write(_csv([_COLUMNS, *rows]))
    else:
        print_table([column.upper() for column in _COLUMNS], rows)
    more = "there are more: raise --limit, or choose a period with --since and --until"
    report(counted(len(documents), "order") if next(items, None) is None else more)
    return FAILED if is_damaged else 0


def _csv(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO()
    for row in rows:
        escaped = [f"'{field}" if str(field).startswith(_FORMULA_STARTS) else field for field in row]
        csv.writer(file, quoting=csv.QUOTE_ALL).writerow(escaped)
    return file.getvalue()


@click.command(short_help="Show what the functions logged about an order.")
@click.argument("some_id", metavar="ID")
@on_system
def trace(some_id: str, as_json: bool, target: Target) -> None:
    """Show the events that the four functions logged about an order, in chronological order.

    ID is an order id, the request_id of an API error, or the id of a message in a queue. An event holds ids and codes,
    never an order's content. On AWS the log lags by some seconds. The exit status is 3 if no event contains the ID.
    """
    some_id = some_id.strip()
    if not _ID.fullmatch(some_id):
        raise click.UsageError("This is not an id: give the id of an order, a request or a message.")
    wanted = parse_order_id(some_id) or some_id
    events = target.find().log.trace(wanted, since=utc_now() - timedelta(days=LOG_DAYS))
    if not events:
        raise OperatorError(f"No event contains {some_id}: check it for typos.", NOT_FOUND)
    if as_json:
        for event in events:
            shown = {"time": format_timestamp(event.time), "function": event.function, "event": event.name}
            print_json({**shown, **event.fields})
    else:
        rows = []
        for event in events:
            details = " ".join(f"{name}={value}" for name, value in event.fields.items() if value != wanted)
            rows.append([format_timestamp(event.time), event.function, event.name, details])
        print_table(("TIME", "FUNCTION", "EVENT", "DETAILS"), rows)
    report(f"{counted(len(events), 'event')} in {(events[-1].time - events[0].time).total_seconds():.1f} s")


@click.command(short_help="Repeat the notifications of stored orders.")
@click.argument("order_ids", type=OrderId(), nargs=-1, required=True, metavar="ORDER_ID...")
@changes_system
def notify(order_ids: tuple[str, ...], mode: Mode, target: Target) -> None:
    """Repeat the notifications of stored orders, through the deployed notification function.

    Use this if a notification failed or a subscriber lost it. Subscribers recognize repeats by the order id. If one of
    the orders is not stored, nothing is sent and the exit status is 3.
    """
    system = target.find()
    items: list[Item] = []
    for order_id in dict.fromkeys(order_ids):
        if order_id not in (stored := system.table.items([order_id])):
            raise OperatorError(f"Order {order_id} is not stored; nothing was sent. See `orders show`.", NOT_FOUND)
        items.append(stored[order_id])
    sent, number = 0, counted(len(items), "order")
    question = system.question_in_production(f"Notify all subscribers of {number}")
    if mode.should_do(f"{number} would be notified", question):
        try:
            with progress("Notifying", len(items)) as advance:
                for batch in batches(items, notifications.BATCH_SIZE):
                    notifications.notify(system, batch)
                    sent += len(batch)
                    advance(len(batch))
        finally:
            report(f"notified {counted(sent, 'order')}")
    if mode.as_json:
        print_json({"orders": len(items), "notified": sent})
