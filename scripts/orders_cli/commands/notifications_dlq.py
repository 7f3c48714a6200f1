"""What `orders dlq … --notifications` does: announcements that failed, listed, shown, made again or dropped."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders_cli.archive import entry_of
from orders_cli.console import counted, print_fields, print_json, print_json_line, print_table, progress, say
from orders_cli.dead_letters import Selection
from orders_cli.drop import drop
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.notifications import (
    FailedNotification,
    ForgottenError,
    Notifier,
    OrderStream,
    failed_notification,
)
from orders_cli.options import confirm
from orders_cli.peek import look_through
from orders_cli.queue import Message, Queue
from orders_cli.redrive import take_out
from orders_cli.system import System

# One invocation of the function for ten orders, of which an entry holds a batch at most.
_SECONDS_EACH = 10


def list_entries(system: System, as_json: bool) -> int:
    """Print the entries grouped by reason."""
    entries = _entries(_queue(system))
    groups = _grouped(entries)
    if as_json:
        print_json(
            {
                "messages": len(entries),
                "groups": [
                    {
                        "count": len(members),
                        "reason": reason,
                        "announcements": sum(entry.records or 0 for entry in members),
                        "oldest": _document(members[0]),
                        "newest": _document(members[-1]),
                    }
                    for reason, members in groups.items()
                ],
            }
        )
    elif groups:
        _print_groups(groups)
    if not entries:
        say("the dead-letter queue of notifications is empty")
    return 0


def show_entries(system: System, selection: Selection, as_json: bool) -> int:
    """Print entries one by one."""
    chosen = _selected(_entries(_queue(system)), selection)
    if not chosen:
        raise OperatorError("There is no such entry in the dead-letter queue of notifications.", NOT_FOUND)
    for entry in chosen:
        if as_json:
            print_json_line(_document(entry))
        else:
            print_fields(_document(entry))
            click.echo()
    return 0


def redrive_entries(system: System, selection: Selection, *, dry_run: bool, yes: bool) -> int:
    """Announce again what the entries stand for, and delete each entry after it."""
    queue = _queue(system)
    chosen = _selected(_entries(queue), selection)
    if not chosen:
        say("there is nothing to announce again")
        return 0
    announcements = sum(entry.records or 0 for entry in chosen)
    _print_groups(_grouped(chosen))
    if dry_run:
        say(f"up to {counted(announcements, 'order')} would be announced again; nothing was done")
        return 0
    confirm(f"Announce up to {counted(announcements, 'order')} of {system.name} again?", already=yes)
    by_id = {entry.message_id: entry for entry in chosen}
    stream = OrderStream(system.client("dynamodbstreams"))
    notifier = Notifier(system.client("lambda"), system.function_name("notification"))
    tally: Counter[str] = Counter()

    def announce(messages: Sequence[Message]) -> Sequence[Message]:
        place = by_id[messages[0]["MessageId"]].place
        try:
            if place is None:
                raise ForgottenError
            items = stream.new_orders(place)
        except ForgottenError:
            tally["forgotten"] += 1
            return []
        notifier.announce(items)
        tally["orders"] += len(items)
        return messages

    with progress("Announcing", len(chosen)) as advance:
        result = take_out(
            by_id.keys(), source=queue, keep_safe=announce, step=1, seconds_each=_SECONDS_EACH, advance=advance
        )
    say(f"announced {counted(tally['orders'], 'order')} of {counted(result.done, 'entry', 'entries')}")
    if tally["forgotten"]:
        say(
            f"the stream has forgotten the orders of {counted(tally['forgotten'], 'entry', 'entries')}, which stayed; "
            "`orders dlq redrive --help` says how to find them"
        )
    return FAILED if result.done < len(chosen) else 0


def drop_entries(system: System, selection: Selection, path: Path, now: datetime, *, dry_run: bool, yes: bool) -> int:
    """Write entries to a new file and delete them."""
    queue = _queue(system)
    chosen = _selected(_entries(queue), selection)
    if not chosen:
        say("there is nothing to drop")
        return 0
    _print_groups(_grouped(chosen))
    if dry_run:
        say(f"{counted(len(chosen), 'entry', 'entries')} would be dropped; nothing was done")
        return 0
    confirm(f"Remove {counted(len(chosen), 'entry', 'entries')}, after writing them to {path}?", already=yes)
    by_id = {entry.message_id: entry for entry in chosen}

    def archived(message: Message) -> dict[str, Any]:
        entry = by_id[message["MessageId"]]
        return entry_of(message, order_id=None, reason=entry.reason, sent_at=entry.sent_at, now=now)

    result = drop(by_id.keys(), source=queue, path=path, entry=archived)
    say(f"{counted(result.done, 'entry', 'entries')} in {path} and gone from the queue")
    return FAILED if result.done < len(chosen) else 0


def _queue(system: System) -> Queue:
    return Queue(system.client("sqs"), system.outputs["notifications_dlq_url"])


def _entries(queue: Queue) -> list[FailedNotification]:
    return sorted(look_through(queue, failed_notification), key=lambda entry: (entry.sent_at, entry.message_id))


def _selected(entries: Sequence[FailedNotification], selection: Selection) -> list[FailedNotification]:
    if selection.order_id:
        raise click.UsageError("--order: an announcement's entry names no order; announce one with `orders notify`.")
    part = (selection.reason or "").lower()
    return [entry for entry in entries if part in entry.reason.lower()][: selection.limit]


def _grouped(entries: Sequence[FailedNotification]) -> dict[str, list[FailedNotification]]:
    groups: dict[str, list[FailedNotification]] = {}
    for entry in entries:
        groups.setdefault(entry.reason, []).append(entry)
    return groups


def _print_groups(groups: dict[str, list[FailedNotification]]) -> None:
    print_table(
        ("COUNT", "REASON", "ANNOUNCEMENTS", "OLDEST", "NEWEST"),
        [
            [
                len(members),
                reason,
                sum(entry.records or 0 for entry in members),
                format_timestamp(members[0].sent_at),
                format_timestamp(members[-1].sent_at),
            ]
            for reason, members in groups.items()
        ],
    )


def _document(entry: FailedNotification) -> dict[str, Any]:
    return {
        "message_id": entry.message_id,
        "reason": entry.reason,
        "sent_at": format_timestamp(entry.sent_at),
        "announcements": entry.records,
        "stored_between": None if entry.place is None else f"{entry.first_stored_at} and {entry.last_stored_at}",
        "shard_id": entry.place.shard_id if entry.place else None,
        "first_record": entry.place.first if entry.place else None,
        "last_record": entry.place.last if entry.place else None,
    }
