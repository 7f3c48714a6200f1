"""`orders restore`: bring back lost orders from a restored copy of the table."""

from collections import Counter
from typing import Any

import click
from botocore.exceptions import ClientError

from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.domain.errors import StoreUnavailableError
from orders.domain.order import AlreadyExists, Inserted, Refused
from orders_cli.console import counted, print_json, print_table, progress, say
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError, error_code
from orders_cli.options import Mode, Target, changes_system
from orders_cli.queue import RateLimit
from orders_cli.table import OrdersTable, compare, restore_missing


@click.command(short_help="Bring back lost orders from a restored copy of the table.")
@click.argument("copy", metavar="TABLE")
@click.option("--rate", type=click.IntRange(1), help="Maximum number of orders per second.")
@changes_system
def restore(*, copy: str, rate: int | None, mode: Mode, target: Target) -> int:
    """Insert the orders of TABLE that are missing from the system's own table.

    TABLE is a copy that DynamoDB has restored to a point in time, as docs/runbook.md describes. The command compares
    both tables, reports what it would do, and asks.

    Orders in the system's table are never changed. Orders whose content differs are listed; compare them yourself. The
    command can be interrupted and run again.

    The table's stream treats a restored order as new, so its notification is repeated. Subscribers recognize repeats
    by the order id. --rate limits the load on them.
    """
    copy = copy.strip()
    system = target.find()
    own = system.outputs["orders_table_name"]
    if copy == own:
        raise click.UsageError("TABLE is the system's own table: name the restored copy.")
    dynamodb = system.client("dynamodb")
    source, table = OrdersTable(dynamodb, copy), OrdersTable(dynamodb, own)
    _require_restored(dynamodb, copy)
    with progress(f"Comparing {copy} with {own}", None) as advance:
        comparison = compare(source.all_items(), table, advance)
    results: Counter[type] = Counter()
    if comparison.different and not mode.as_json:
        print_table(("ORDER_ID", "DIFFERENCE"), list(comparison.different.items()))
    say(
        f"{copy} holds {counted(comparison.total, 'order')}: {comparison.same:,} identical in the table, "
        f"{comparison.missing:,} missing there, {len(comparison.different):,} different"
    )
    if not comparison.missing:
        say("there is nothing to restore")
    elif mode.dry_run:
        say(f"{counted(comparison.missing, 'order')} would be restored; nothing was done")
    else:
        missing = counted(comparison.missing, "order")
        mode.confirm(f"Restore {missing} in {system.name}'s table, and repeat their notifications?")
        try:
            with progress("Restoring", comparison.missing) as advance:
                store = DynamoDbOrderTable(dynamodb, own)
                restore_missing(source.all_items(), table, store, results, rate_limit=RateLimit(rate), advance=advance)
        except StoreUnavailableError as error:
            raise OperatorError(
                f"The table stopped accepting orders ({type(error.__cause__).__name__}). Run this again for the rest."
            ) from error
        finally:
            _report(results)
    if mode.as_json:
        counts = {"restored": results[Inserted], "already_stored": results[AlreadyExists], "refused": results[Refused]}
        print_json({"orders": comparison.total, **vars(comparison), **counts}, indent=2)
    return FAILED if results[Refused] else 0


def _require_restored(dynamodb: Any, name: str) -> None:
    try:
        status = dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(f"There is no table {name}: restore one first, see docs/runbook.md.", NOT_FOUND) from error
    if status != "ACTIVE":
        raise OperatorError(
            f"{name} is still {status}: wait for it with `aws dynamodb wait table-exists --table-name {name}`."
        )


def _report(results: Counter[type]) -> None:
    say(f"{counted(results[Inserted], 'order')} restored")
    if results[AlreadyExists]:
        say(f"{counted(results[AlreadyExists], 'order')} already stored by another process")
    if results[Refused]:
        say(f"{counted(results[Refused], 'order')} could not be stored: run this again")
