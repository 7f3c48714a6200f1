"""`orders dlq`: what could not be stored, why, and what to do with it.

The command line; what it does about orders is in `orders_dlq`, about announcements in `notifications_dlq`.
"""

from pathlib import Path

import click

from orders.domain.order_id import parse_order_id
from orders_cli.archive import require_new
from orders_cli.clock import utc_now
from orders_cli.commands import notifications_dlq, orders_dlq
from orders_cli.dead_letters import Selection
from orders_cli.move_task import FASTEST
from orders_cli.options import SystemCommand, as_json, on_system, yes
from orders_cli.system import System

_reason = click.option("--reason", help="Only those whose reason contains this, whatever its case.")
_order = click.option("--order", "order_id", help="Only those of this order id.")
_limit = click.option("--limit", type=click.IntRange(1), help="At most so many, the oldest first.")
_notifications = click.option(
    "--notifications", is_flag=True, help="The dead-letter queue of announcements instead of the orders'."
)


@click.group()
def dlq() -> None:
    """List, show, redrive or drop what could not be stored.

    An order that was received five times and not stored lies in the dead-letter queue for fourteen days. Its reason is
    in the processing function's log; `list` groups by it.

    \b
    find the reason        orders dlq list
    look at the messages   orders dlq show --reason "text of the reason"
    repair the cause, then orders dlq redrive
    what is no order       orders dlq drop --reason "not JSON" --to poison.jsonl
    bring it back          orders dlq redrive --from poison.jsonl

    `list` and `show` hide the messages from other readers while they look, for some seconds with thousands of them, and
    make them visible again. The alarm counts visible messages, so if it looks in just that moment it tells OK, and
    ALARM a minute later. Should the tool be killed meanwhile, SQS makes them visible again by itself, after a minute or
    a few.

    With --notifications all of it is about announcements (see each command).
    """


@dlq.command("list", cls=SystemCommand, short_help="List the dead letters by reason.")
@_notifications
@as_json
@on_system
def list_letters(notifications: bool, as_json: bool, system: System) -> int:
    """List the dead letters grouped by reason, and say what to do about each group.

    The reason is what the processing function logged last about the message: an error of the store, such as
    AccessDeniedException or ThrottlingError; "… the message is forged"; or what is wrong with a message that is no
    order.

    With --notifications: the announcements that failed, grouped by why Lambda gave them up.
    """
    if notifications:
        return notifications_dlq.list_entries(system, as_json)
    return orders_dlq.list_letters(system, as_json)


@dlq.command("show", cls=SystemCommand, short_help="Show dead letters with their content.")
@_reason
@_order
@click.option(
    "--limit", type=click.IntRange(1), default=10, show_default=True, help="At most so many, the oldest first."
)
@_notifications
@as_json
@on_system
def show_letters(
    *, reason: str | None, order_id: str | None, limit: int, notifications: bool, as_json: bool, system: System
) -> int:
    """Show dead letters one by one, with their content.

    With --json one object a line. The exit status is 3 where there is none.
    """
    selection = _selection(reason, order_id, limit)
    if notifications:
        return notifications_dlq.show_entries(system, selection, as_json)
    return orders_dlq.show_letters(system, selection, as_json)


@dlq.command("redrive", cls=SystemCommand, short_help="Bring dead letters back to be processed.")
@_reason
@_order
@_limit
@click.option(
    "--from", "file", type=click.Path(path_type=Path), help="Bring back what `drop` has written to this file."
)
@click.option(
    "--rate", type=click.IntRange(1), help=f"At most so many a second. SQS's own move task knows up to {FASTEST}."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_notifications
@yes
@on_system
def redrive_letters(
    *,
    reason: str | None,
    order_id: str | None,
    limit: int | None,
    file: Path | None,
    rate: int | None,
    dry_run: bool,
    notifications: bool,
    yes: bool,
    system: System,
) -> int:
    """Bring dead letters back into the orders queue, to be processed again.

    First it says what would be done, then it asks. Repair the cause before: what fails again is back after five
    receives, and the alarm with it.

    \b
    all of them           orders dlq redrive
    those of a reason     orders dlq redrive --reason AccessDenied
    one order             orders dlq redrive --order ORDER_ID
    a few, to try         orders dlq redrive --limit 10
    what was dropped      orders dlq redrive --from FILE

    It can be run twice and killed at any moment. A message leaves the dead-letter queue only after the orders queue
    has it; one that is in both for a moment, or is brought back twice, is stored once, because the order's id is its
    identity. After an interruption run it again. Up to ten messages that a killed run was about to move are hidden for
    a quarter of a minute.

    The whole queue is moved by SQS itself where it can do that (a message move task). Ctrl-C cancels that task; if the
    tool is killed the task goes on, and running this again follows it. A selection is moved by the tool.

    With --notifications it announces again: the entries name places in the table's stream, which holds a day. The
    orders found there are announced by the notification function, then the entry is deleted. An entry whose place the
    stream has forgotten stays, because nothing tells any more which orders it stood for: `orders dlq show
    --notifications` says when they were stored; those with an order_stored and no order_notified in the logs of that
    time are the ones, announce them with `orders notify`. Subscribers may hear of an order twice.
    """
    selection = _selection(reason, order_id, limit)
    if notifications:
        if file or rate:
            raise click.UsageError("--from and --rate are for orders, not for --notifications.")
        return notifications_dlq.redrive_entries(system, selection, dry_run=dry_run, yes=yes)
    if file:
        return orders_dlq.redrive_file(system, file, selection, rate, dry_run=dry_run, yes=yes)
    return orders_dlq.redrive_letters(system, selection, rate, dry_run=dry_run, yes=yes)


@dlq.command("drop", cls=SystemCommand, short_help="Remove dead letters, into a file.")
@_reason
@_order
@_limit
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path),
    help="The new file that takes them. Left out, one is named after system and time, in this directory.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_notifications
@yes
@on_system
def drop_letters(
    *,
    reason: str | None,
    order_id: str | None,
    limit: int | None,
    file: Path | None,
    dry_run: bool,
    notifications: bool,
    yes: bool,
    system: System,
) -> int:
    """Remove dead letters from the queue, after they were written to a file.

    For what will never be an order. First it says what would be done, then it asks. A message is deleted only after it
    is on the disk; a file that is there is never overwritten. `orders dlq redrive --from FILE` brings them back into
    the orders queue. The file holds the messages' content: it is readable by you only, keep it like any customer data.

    It can be killed at any moment. What is not in the file is in the queue; run it again, with another file.

    With --notifications the entries are dropped likewise, but there is no bringing back: see `orders notify`.
    """
    selection = _selection(reason, order_id, limit)
    now = utc_now()
    path = file or Path(f"{system.name}-{'notifications-' if notifications else ''}dlq-{now:%Y%m%dT%H%M%SZ}.jsonl")
    require_new(path)
    if notifications:
        return notifications_dlq.drop_entries(system, selection, path, now, dry_run=dry_run, yes=yes)
    return orders_dlq.drop_letters(system, selection, path, now, dry_run=dry_run, yes=yes)


def _selection(reason: str | None, order_id: str | None, limit: int | None) -> Selection:
    if order_id is not None and parse_order_id(order_id) is None:
        raise click.UsageError("--order: no system of this kind ever issued that order id; look for typos.")
    return Selection(reason, parse_order_id(order_id) if order_id else None, limit)
