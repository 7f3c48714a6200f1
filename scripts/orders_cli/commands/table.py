"""`orders restore` and `orders erase`: insert lost orders again, and delete those of a customer."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import ClientError

from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.domain.errors import StoreUnavailableError
from orders.domain.order import AlreadyExists, Inserted, Rejected, format_timestamp
from orders_cli.archive import new_archive
from orders_cli.console import counted, print_fields, print_json, print_table, progress, report
from orders_cli.dead_letters import id_for_customer
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError, error_code
from orders_cli.options import Mode, changes_system, customer_option, new_file_option, not_empty, utc_now
from orders_cli.queue import RateLimit, batches, peek
from orders_cli.system import Target
from orders_cli.table import Item, OrdersTable, id_of, order_or_none, read_order

_NOT_CHECKED = (
    "content of messages in the orders queue",
    "orders that were accepted or stored in the last two minutes",
    "the table's stream (24 hours)",
    "backups, exports and restored copies of the table",
    "files that were written by `orders list` and `orders dlq drop`",
    "notifications that were sent to subscribers",
)

_SAME, _MISSING = "same", "missing"

# BatchGetItem's limit.
_PAGE_SIZE = 100


@click.command(short_help="Insert lost orders from a restored copy of the table.")
@click.argument("copy", metavar="TABLE", callback=not_empty)
@click.option("--rate", type=click.IntRange(1), help="Maximum number of orders per second.")
@changes_system
def restore(*, copy: str, rate: int | None, mode: Mode, target: Target) -> int:
    """Insert the orders of TABLE that are missing from the system's own table.

    TABLE is a copy that DynamoDB has restored to a point in time, as docs/runbook.md describes. The command compares
    both tables, reports what it would do, and asks. It never changes an order of the system's table, but lists those
    whose content differs. It can be interrupted and run again.

    The table's stream treats a restored order as new, so its notification is repeated. Subscribers recognize repeats
    by the order id. --rate limits the load on them.
    """
    system = target.find()
    own = system.outputs["orders_table_name"]
    if copy == own:
        raise click.UsageError("TABLE is the system's own table: name the restored copy.")
    dynamodb = system.client("dynamodb")
    source, table = OrdersTable(dynamodb, copy), OrdersTable(dynamodb, own)
    _require_restored(dynamodb, copy)
    compared, results, different = Counter[str](), Counter[type](), {}
    with progress(f"Comparing {copy} with {own}", None) as advance:
        for item, result in _compared(source, table):
            compared[result] += 1
            if result not in (_SAME, _MISSING):
                different[id_of(item)] = result
            advance(1)
    same, missing, total = compared[_SAME], compared[_MISSING], compared.total()
    if different and not mode.as_json:
        print_table(("ORDER_ID", "DIFFERENCE"), list(different.items()))
    report(
        f"{copy} holds {counted(total, 'order')}: {same:,} identical, {missing:,} missing, {len(different):,} different"
    )
    if not missing:
        report("0 orders to restore")
    elif mode.should_do(
        f"{counted(missing, 'order')} would be restored",
        f"Restore {counted(missing, 'order')} in {system.name}'s table, and repeat their notifications?",
    ):
        store, rate_limit = DynamoDbOrderTable(dynamodb, own), RateLimit(rate)
        try:
            with progress("Restoring", missing) as advance:
                # An insert never overwrites, so this can be interrupted and run again.
                lost = (read_order(item) for item, result in _compared(source, table) if result == _MISSING)
                for orders in rate_limit.batches(lost):
                    results.update(map(type, store.insert(orders).values()))
                    advance(len(orders))
        except StoreUnavailableError as error:
            reason = f"The table stopped accepting orders ({type(error.__cause__).__name__})."
            raise OperatorError(f"{reason} Run this again for the rest.") from error
        finally:
            report(f"{counted(results[Inserted], 'order')} restored")
            if results[AlreadyExists]:
                report(f"{counted(results[AlreadyExists], 'order')} already stored by another process")
            if results[Rejected]:
                report(f"{counted(results[Rejected], 'order')} could not be stored: run this again")
    if mode.as_json:
        orders_of_copy = {"orders": total, "same": same, "missing": missing, "different": different}
        counts = {"restored": results[Inserted], "already_stored": results[AlreadyExists], "refused": results[Rejected]}
        print_json({**orders_of_copy, **counts}, indent=2)
    return FAILED if results[Rejected] else 0


def _require_restored(dynamodb: Any, name: str) -> None:
    try:
        status = dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(f"The table {name} does not exist: see docs/runbook.md.", NOT_FOUND) from error
    if status != "ACTIVE":
        raise OperatorError(f"{name} is {status}: wait with `aws dynamodb wait table-exists --table-name {name}`.")


def _compared(source: OrdersTable, table: OrdersTable) -> Iterator[tuple[Item, str]]:
    """Yield each item of `source` with the result of its comparison with `table`."""
    for page in batches(source.all_items(), _PAGE_SIZE):
        stored = table.items([id_of(item) for item in page])
        for item in page:
            if own := stored.get(id_of(item)):
                yield item, _SAME if own == item else "the table holds other content"
            else:
                yield item, _MISSING if order_or_none(item) else "missing, and incomplete in the copy too"


@click.command(short_help="Delete a customer's stored orders.")
@customer_option
@new_file_option
@changes_system
def erase(*, customer: str, file: Path | None, mode: Mode, target: Target) -> int:
    """Delete the stored orders of a customer, and write a receipt.

    The command reports what it would delete, then asks. It can be interrupted with Ctrl-C: run it again for the rest.

    An order that is still in a queue is not deleted, and would be stored later. The exit status is 1 if anything is
    known to be left. Run the command again until it is 0, and once more after two minutes, because SQS's counts and the
    index lag; docs/runbook.md describes each step.

    The receipt contains counts and times, but no id of a customer or order. Name its file after the request, not after
    the customer. The required permissions are in docs/erasure-policy.json.
    """
    system, started = target.find(), utc_now()
    path = file or Path(f"{system.name}-erasure-{started:%Y%m%dT%H%M%SZ}.json")
    table, deleted = system.table, 0

    # Read the queues first: an order that is stored in the meantime is then found, once the index has followed.
    waiting = system.queue("orders_queue").depth().total
    ids, hidden = peek(system.queue("orders_dlq"), lambda message: id_for_customer(message, customer))
    dead_letters = [each for each in ids if each]
    left = {"orders_queue_messages": waiting, "dead_letters": len(dead_letters), "hidden_dead_letters": hidden}
    items = list(table.items_of_customer(customer, "0", "9999", page_size=1000))
    recovery_days = table.recovery_days()

    def result() -> dict[str, Any]:
        now = utc_now()
        return {
            "system": system.name,
            "started_at": format_timestamp(started),
            "finished_at": format_timestamp(now),
            "orders_found": len(items),
            "orders_deleted": deleted,
            "left": left,
            "is_complete": deleted == len(items) and not any(left.values()),
            "point_in_time_recovery_until": str((now + timedelta(recovery_days)).date()) if recovery_days else None,
            "not_checked": _NOT_CHECKED,
        }

    if not mode.as_json:
        times = [item["submitted_at"]["S"] for item in items]
        period = f"{times[-1]} to {times[0]}" if times else None
        shown = {"customer": customer, "stored orders": len(items), "submitted": period}
        print_fields({**shown, "dead letters": ", ".join(dead_letters) or None})
    orders = counted(len(items), "stored order")
    question = f"Delete {orders} of this customer from {system.name}?" if items else None
    if mode.should_do(f"would delete {orders}", question):
        with new_archive(path) as append:
            try:
                with progress("Deleting", len(items)) as advance:
                    for item in items:
                        table.delete(item["order_id"]["S"])
                        deleted += 1
                        advance(1)
            finally:
                append([result()])
                report(f"{counted(deleted, 'order')} deleted; the receipt is {path}")
    _report_left(**left)
    document = result()
    until = document["point_in_time_recovery_until"]
    recovery = f"keeps deleted orders until {until}" if until else "is off, so it keeps no deleted orders"
    report(f"point-in-time recovery {recovery}")
    report(f"not checked: {', '.join(_NOT_CHECKED)}; see docs/runbook.md")
    if mode.as_json:
        written = None if mode.dry_run else str(path)
        print_json({**document, "dead_letter_ids": dead_letters, "receipt": written}, indent=2)
    return 0 if mode.dry_run or document["is_complete"] else FAILED


def _report_left(orders_queue_messages: int, dead_letters: int, hidden_dead_letters: int) -> None:
    if orders_queue_messages:
        messages = counted(orders_queue_messages, "message")
        report(f"{messages} in the orders queue: an order of this customer among them will be stored; run this again")
    if dead_letters:
        letters = counted(dead_letters, "dead letter")
        report(f"{letters} of this customer: drop each with `orders dlq drop` (--order or --reason); delete its file")
        report("do not redrive them: the orders would be stored again")
    if hidden_dead_letters:
        report(f"{counted(hidden_dead_letters, 'dead letter')} hidden by another reader: run this again in a minute")
