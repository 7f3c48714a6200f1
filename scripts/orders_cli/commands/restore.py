"""`orders restore`: bring back what the table has lost, from a copy of it."""

from typing import Any

import click
from botocore.exceptions import ClientError

from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.domain.errors import StoreUnavailableError
from orders_cli.console import counted, print_json, print_table, progress, say
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError, error_code
from orders_cli.options import SystemCommand, as_json, confirm, on_system, yes
from orders_cli.queue import Pace
from orders_cli.restore import Comparison, bring_back, compare
from orders_cli.system import System
from orders_cli.table import OrdersTable


@click.command(cls=SystemCommand, short_help="Bring back lost orders from a restored copy of the table.")
@click.argument("copy", metavar="TABLE")
@click.option("--dry-run", is_flag=True, help="Only compare, and say what would be done.")
@click.option("--rate", type=click.IntRange(1), help="Bring back at most so many a second.")
@yes
@as_json
@on_system
def restore(*, copy: str, dry_run: bool, rate: int | None, yes: bool, as_json: bool, system: System) -> int:
    """Insert the orders that TABLE holds and the system's own table does not.

    TABLE is a copy that DynamoDB has restored to a point in time; docs/runbook.md says how. First both are compared,
    and it says what would be done; then it asks.

    No order in the system's table is changed: each of the copy is inserted, as it was, only if its id is not there. The
    ids of those that are there with other content are listed, and left to you. It can be run twice and killed at any
    moment.

    An order that comes back is new to the table's stream, so it is announced again. Subscribers tell repeats by the
    order id; --rate spares them.
    """
    own = system.outputs["orders_table_name"]
    if copy == own:
        raise click.UsageError("TABLE is the system's own table: name the copy that was restored beside it.")
    dynamodb = system.client("dynamodb")
    source, table = OrdersTable(dynamodb, copy), OrdersTable(dynamodb, own)
    _require_restored(dynamodb, copy)
    with progress(f"Comparing {copy} with {own}", None) as advance:
        comparison = compare(source.all_items(), table, advance)
    _tell(copy, comparison, as_json)
    if not comparison.missing:
        say("there is nothing to bring back")
        return 0
    if dry_run:
        say(f"{counted(comparison.missing, 'order')} would be brought back; nothing was done")
        return 0
    confirm(
        f"Bring {counted(comparison.missing, 'order')} back into {system.name}'s table, and announce them again?",
        already=yes,
    )
    with progress("Bringing back", comparison.missing) as advance:
        try:
            restored = bring_back(
                source.all_items(), table, DynamoDbOrderTable(dynamodb, own), pace=Pace(rate), advance=advance
            )
        except StoreUnavailableError as error:
            raise OperatorError(
                f"The table stopped taking orders ({type(error.__cause__).__name__}): what was brought back is whole, "
                "run this again for the rest."
            ) from error
    say(f"{counted(restored.done, 'order')} {'is' if restored.done == 1 else 'are'} back in the table")
    if restored.meanwhile:
        say(f"{counted(restored.meanwhile, 'order')} had come by another way meanwhile")
    if restored.refused:
        say(f"{counted(restored.refused, 'order')} could not be stored: run this again")
    return FAILED if restored.refused else 0


def _require_restored(dynamodb: Any, name: str) -> None:
    try:
        status = dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(
            f"There is no table {name}: restore one first, as docs/runbook.md says.", NOT_FOUND
        ) from error
    if status != "ACTIVE":
        raise OperatorError(
            f"{name} is still {status}: wait for it with `aws dynamodb wait table-exists --table-name {name}`."
        )


def _tell(copy: str, comparison: Comparison, as_json: bool) -> None:
    if as_json:
        print_json({"orders": comparison.total, **vars(comparison)})
        return
    rows = [(order_id, "the table holds it with other content") for order_id in comparison.different]
    rows += [(order_id, f"missing, and not whole in {copy} either") for order_id in comparison.broken]
    if rows:
        print_table(("ORDER_ID", "WHAT IT IS"), rows)
    say(
        f"{copy} holds {counted(comparison.total, 'order')}: {comparison.same:,} as in the table, "
        f"{comparison.missing:,} missing there, {len(comparison.different):,} different, "
        f"{len(comparison.broken):,} not whole"
    )
