"""`orders notify`: repeat the notifications of stored orders."""

import click

from orders.domain.order_id import parse_order_id
from orders_cli import notifications
from orders_cli.console import counted, print_json, progress, say
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.notifications import BATCH_SIZE, Item
from orders_cli.options import Mode, Target, changes_system


@click.command(short_help="Repeat the notifications of stored orders.")
@click.argument("order_ids", nargs=-1, required=True, metavar="ORDER_ID...")
@changes_system
def notify(order_ids: tuple[str, ...], mode: Mode, target: Target) -> int:
    """Repeat the notifications of stored orders, through the deployed notification function.

    Use this if a notification failed or a subscriber lost it. The function receives the stored order as the table's
    stream would send it, and logs order_notified. Subscribers recognize repeats by the order id. If one of the orders
    is not stored, nothing is sent and the exit status is 3.
    """
    system = target.find()
    items: list[Item] = []
    for order_id in dict.fromkeys(order_id.strip() for order_id in order_ids):
        canonical = parse_order_id(order_id)
        item = system.table.item(canonical) if canonical else None
        if item is None:
            raise OperatorError(
                f"There is no stored order {order_id}, so nothing was sent. See `orders show {order_id}`.", NOT_FOUND
            )
        items.append(item)
    sent = 0
    if mode.dry_run:
        say(f"{counted(len(items), 'order')} would be notified; nothing was done")
    else:
        mode.confirm_in_production(system, f"Notify all subscribers of {counted(len(items), 'order')}")
        try:
            with progress("Notifying", len(items)) as advance:
                for start in range(0, len(items), BATCH_SIZE):
                    batch = items[start : start + BATCH_SIZE]
                    notifications.notify(system, batch)
                    sent += len(batch)
                    advance(len(batch))
        finally:
            say(f"notified {counted(sent, 'order')}")
    if mode.as_json:
        print_json({"orders": len(items), "notified": sent})
    return 0
