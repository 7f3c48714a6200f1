"""`orders notify`: announce stored orders again."""

import click

from orders.domain.order_id import parse_order_id
from orders_cli.console import counted, progress, say
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.notifications import BATCH_SIZE, Item, Notifier
from orders_cli.options import SystemCommand, confirm_in_production, on_system, yes
from orders_cli.system import System
from orders_cli.table import OrdersTable


@click.command(cls=SystemCommand, short_help="Announce stored orders again.")
@click.argument("order_ids", nargs=-1, required=True, metavar="ORDER_ID...")
@yes
@on_system
def notify(order_ids: tuple[str, ...], yes: bool, system: System) -> int:
    """Announce stored orders (again), by the deployed notification function.

    For orders whose announcement failed, or got lost at a subscriber. The function is handed the stored order as the
    table's stream would, so it does what it always does, and logs order_notified. Subscribers tell repeats by the
    order id. An order that is not stored is never announced: the exit status is 3, and nothing was announced.
    """
    table = OrdersTable(system.client("dynamodb"), system.outputs["orders_table_name"])
    items: list[Item] = []
    for order_id in dict.fromkeys(order_ids):
        canonical = parse_order_id(order_id)
        item = table.item(canonical) if canonical else None
        if item is None:
            raise OperatorError(
                f"There is no stored order {order_id}, and nothing was announced: see `orders show {order_id}`.",
                NOT_FOUND,
            )
        items.append(item)
    confirm_in_production(system, f"Announce {counted(len(items), 'order')} to all subscribers", already=yes)
    notifier = Notifier(system.client("lambda"), system.function_name("notification"))
    with progress("Announcing", len(items)) as advance:
        for start in range(0, len(items), BATCH_SIZE):
            batch = items[start : start + BATCH_SIZE]
            notifier.announce(batch)
            advance(len(batch))
    say(f"announced {counted(len(items), 'order')}")
    return 0
