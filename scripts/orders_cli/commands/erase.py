"""`orders erase`: delete the stored orders of a customer."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders_cli.archive import new_archive, require_new
from orders_cli.console import counted, print_fields, print_json, progress, say
from orders_cli.dead_letters import dead_letter, is_of_customer
from orders_cli.errors import FAILED
from orders_cli.options import Mode, Target, changes_system, utc_now
from orders_cli.queue import Message, peek

_PAGE_SIZE = 1000
_NOT_CHECKED = (
    "content of messages in the orders queue",
    "the table's stream (24 hours)",
    "backups, exports and restored copies of the table",
    "files that were written by `orders list` and `orders dlq drop`",
    "notifications that were sent to subscribers",
)


@click.command(short_help="Delete a customer's stored orders.")
@click.option("--customer", required=True, help="The customer_id.")
@click.option(
    "--to", "file", type=click.Path(path_type=Path), help="The receipt to create. Default: named after the time."
)
@changes_system
def erase(*, customer: str, file: Path | None, mode: Mode, target: Target) -> int:
    """Delete the stored orders of a customer, and write a receipt.

    The command reports what it would delete, then asks. It can be interrupted or killed: run it again for the rest.

    An order that is still in a queue is not deleted, and would be stored later. The command prints the number of
    messages in the orders queue, but not whose they are: reading a message counts as one of its five receives. It
    prints the customer's dead letters. The exit status is 1 if anything may be left. Run the command again until it is
    0; docs/runbook.md describes each step.

    The receipt contains counts and times, but no id of a customer or order. Name its file after the request, not after
    the customer. The permissions are in docs/erasure-policy.json.
    """
    customer = customer.strip()
    if not customer:
        raise click.UsageError("--customer is empty: give the customer_id of the orders to delete.")
    if file:
        require_new(file)
    system, started = target.find(), utc_now()
    path = file or Path(f"{system.name}-erasure-{started:%Y%m%dT%H%M%SZ}.json")
    table, deleted = system.table, 0

    def own_id(message: Message) -> str | None:
        letter = dead_letter(message) if is_of_customer(message, customer) else None
        return letter and (letter.order_id or letter.message_id)

    # The queues first: an order that is stored meanwhile is then found in the table.
    waiting = system.queue("orders_queue").depth().total
    read, hidden = peek(system.queue("orders_dlq"), own_id)
    dead_letters = [letter_id for letter_id in read if letter_id]
    left = {"orders_queue_messages": waiting, "dead_letters": len(dead_letters), "hidden_dead_letters": hidden}
    items = list(table.items_of_customer(customer, "0", "9999", _PAGE_SIZE))
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
        ids = ", ".join(dead_letters) or None
        print_fields({"customer": customer, "stored orders": len(items), "submitted": period, "dead letters": ids})
    orders = counted(len(items), "stored order")
    if mode.dry_run:
        say(f"would delete {orders}; nothing was done")
    else:
        if items:
            mode.confirm(f"Delete {orders} of this customer from {system.name}?")
        with new_archive(path) as keep:
            try:
                with progress("Deleting", len(items)) as advance:
                    for item in items:
                        table.delete(item["order_id"]["S"])
                        deleted += 1
                        advance(1)
            finally:
                say(f"{counted(deleted, 'order')} deleted; the receipt is {path}")
                keep([result()])
    if waiting:
        say(
            f"{counted(waiting, 'message')} in the orders queue: an order of this customer among them will be stored. "
            "Run this again after they are processed; see `orders status`"
        )
    if dead_letters:
        say(
            f"{counted(len(dead_letters), 'dead letter')} of this customer: drop each with `orders dlq drop --order ID` "
            "(--reason if it has no order id) and delete the file. A redrive would store the order"
        )
    if hidden:
        say(f"{counted(hidden, 'dead letter')} hidden by another reader: run this again in a minute")
    document = result()
    until = document["point_in_time_recovery_until"]
    recovery = f"keeps deleted orders until {until}" if until else "is off, so it keeps no deleted orders"
    say(f"point-in-time recovery {recovery}")
    say(f"not checked: {', '.join(_NOT_CHECKED)}; see docs/runbook.md")
    if mode.as_json:
        written = None if mode.dry_run else str(path)
        print_json({**document, "dead_letter_ids": dead_letters, "receipt": written}, indent=2)
    return 0 if mode.dry_run or document["is_complete"] else FAILED
