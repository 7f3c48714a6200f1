"""`orders dlq`: list, show, redrive or drop dead letters, of orders or of notifications."""

import functools
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from orders.domain.order import format_timestamp
from orders_cli.archive import new_archive, read_archive
from orders_cli.console import counted, print_fields, print_json, print_line, print_table, progress, report
from orders_cli.dead_letters import DROPPED, REDRIVEN, DeadLetter, Kind, Selection, dead_letter, groups_of, with_reasons
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.notifications import failed_notification, new_orders, notify
from orders_cli.options import Mode, Moment, OrderId, changes_system, new_file_option, on_system, utc_now
from orders_cli.queue import Message, RateLimit, Transfer, move, peek
from orders_cli.system import System, Target

_KIND = click.Choice([*(kind.name.lower() for kind in Kind), "all"])

# Each entry takes one invocation of the notification function.
_SECONDS_PER_ENTRY = 10


def _selects(function: Any) -> Any:
    """Add the options that select dead letters; the command receives them as `selection`."""

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        selection = Selection(**{field.name: given.pop(field.name) for field in fields(Selection)})
        if selection.order_id and selection.notifications:
            raise click.UsageError("--order does not apply to --notifications: use `orders notify` for single orders.")
        return function(selection=selection, **given)

    for option in (
        click.option("--notifications", is_flag=True, help="Dead letters of notifications instead of orders."),
        click.option("--limit", type=click.IntRange(1), help="Maximum number, oldest first."),
        click.option("--since", type=Moment(), help="Only those sent at this moment or later."),
        click.option("--order", "order_id", type=OrderId(), help="Only those of this order id."),
        click.option("--kind", "kinds", type=_KIND, multiple=True, help="Only those of this kind; repeatable."),
        click.option("--reason", help="Only those whose reason contains this text, in any letter case."),
    ):
        command = option(command)
    return command


@click.group()
def dlq() -> None:
    """List, show, redrive or drop dead letters.

    An order that was received five times and not stored moves to the dead-letter queue, which keeps it for fourteen
    days. The processing function logged the reason; `list` groups by it.

    \b
    find the reasons      orders dlq list
    inspect messages      orders dlq show --reason "text of the reason"
    fix the cause, then   orders dlq redrive
    drop invalid orders   orders dlq drop --to poison.jsonl
    undo a drop           orders dlq redrive --from poison.jsonl

    While these commands read the queue, its messages are hidden from other readers, and the alarm may change to OK and
    back. If the tool is killed, SQS makes the messages visible again after a few minutes.
    """


@dlq.command("list", short_help="List dead letters by reason.")
@_selects
@on_system
def list_(selection: Selection, as_json: bool, target: Target) -> int:
    """List dead letters grouped by reason, with advice for each group.

    The reason is the last error that the processing function logged about the message. With --notifications it is the
    reason why Lambda gave up. The exit status is 1 if messages are hidden by another reader.
    """
    letters = _Letters(target.find(), selection)
    chosen = selection.of(letters.found)
    if as_json:
        print_json({"messages": len(chosen), "hidden": letters.hidden, "groups": groups_of(chosen)}, indent=2)
    elif chosen:
        _print_groups(chosen)
    elif not letters.hidden:
        report("no dead letter matches" if letters.found else f"{letters.name} is empty")
    return FAILED if letters.hidden else 0


@dlq.command("show", short_help="Show dead letters with their content.")
@_selects
@on_system
def show(selection: Selection, as_json: bool, target: Target) -> int:
    """Show dead letters one by one with their content. The default --limit is ten.

    --json prints one object per line. The exit status is 3 if no message matches.
    """
    letters = _Letters(target.find(), selection, with_bodies=True)
    chosen = selection.of(letters.found)[: selection.limit or 10]
    if not chosen:
        raise OperatorError(f"No message in {letters.name} matches.", FAILED if letters.hidden else NOT_FOUND)
    for letter in chosen:
        document = {**letter.document(), "body": None if selection.notifications else letter.body}
        if as_json:
            print_json(document)
        else:
            print_fields(document)
            print_line("")
    return 0


@dlq.command("redrive", short_help="Move dead letters back to be processed.")
@_selects
@click.option("--from", "file", type=click.File("rb"), help="Redrive the messages of a file that `drop` wrote.")
@click.option("--rate", type=click.IntRange(1), help="Maximum number per second.")
@changes_system
def redrive(*, selection: Selection, file: BinaryIO | None, rate: int | None, mode: Mode, target: Target) -> int:
    """Move dead letters back to the orders queue, to be processed again.

    The command reports what it would do, then asks. Fix the cause first: a message that fails again returns after five
    receives. The default is every message whose advice is to redrive. Select others with --kind, --reason or --order,
    and try a few with --limit 10.

    A message is deleted only after it was sent, and an order that arrives twice is stored once. So the command can be
    interrupted or killed, and run again. If it is killed, up to ten messages stay hidden for 15 seconds.

    With --notifications, the notification function sends the notifications again; subscribers may receive some twice.
    The table's stream keeps records for a day. Older entries stay: docs/runbook.md describes how to notify their orders
    with `orders notify`.
    """
    if selection.notifications and (file or rate):
        raise click.UsageError("--from and --rate are for orders, not for --notifications.")
    system = target.find()
    letters = _Letters(system, selection, archive=file)
    if not letters.confirm(REDRIVEN, mode, "redrive", f"back to {system.name}"):
        return letters.report("redriven")
    notified = expired = 0

    def notify_again(messages: Sequence[Message]) -> Sequence[Message]:
        nonlocal notified, expired
        [message] = messages
        items = new_orders(system.client("dynamodbstreams"), letters.chosen[message["MessageId"]])
        if items is None:
            expired += 1
            return []
        if items:
            notify(system, items)
        notified += len(items)
        return messages

    try:
        if selection.notifications:
            letters.move("Redriving", notify_again, RateLimit(step=1, seconds_each=_SECONDS_PER_ENTRY))
        else:
            letters.move("Redriving", system.queue("orders_queue").send, RateLimit(rate))
    finally:
        status = letters.report("redriven", f"notified {counted(notified, 'order')}" if selection.notifications else "")
        if expired:
            entries = counted(expired, "entry", "entries")
            report(f"the stream no longer holds the orders of {entries}; see `orders dlq redrive --help`")
    return status


@dlq.command("drop", short_help="Write dead letters to a file and delete them.")
@_selects
@new_file_option
@changes_system
def drop(*, selection: Selection, file: Path | None, mode: Mode, target: Target) -> int:
    """Remove dead letters from the queue after writing them to a file.

    Use this for messages that can never be processed. The default is every message whose advice is to drop. Select
    others with --kind, --reason or --order. The command reports what it would do, then asks. A message is deleted only
    after it is on disk, so the command can be interrupted or killed, and run again with another file. The file holds
    the messages' content, and only you can read it. `orders dlq redrive --from FILE` undoes the drop.

    With --notifications, entries of notifications are dropped. This cannot be undone: use `orders notify` instead.
    """
    system = target.find()
    now = utc_now()
    dropped = {"dropped_at": format_timestamp(now)}
    queue = "notifications-dlq" if selection.notifications else "dlq"
    path = file or Path(f"{system.name}-{queue}-{now:%Y%m%dT%H%M%SZ}.jsonl")
    letters = _Letters(system, selection)
    if not letters.confirm(frozenset(Kind) if selection.notifications else DROPPED, mode, "drop", f"to {path}"):
        return letters.report("dropped")
    try:
        with new_archive(path) as append:

            def archive(messages: Sequence[Message]) -> Sequence[Message]:
                append([{**letters.chosen[m["MessageId"]].document(), **dropped, "body": m["Body"]} for m in messages])
                return messages

            letters.move("Dropping", archive, RateLimit())
    finally:
        status = letters.report("dropped", file=path)
    return status


class _Letters:
    """The messages of a dead-letter queue or archive, the selected ones, and the results of moving them."""

    def __init__(
        self, system: System, selection: Selection, *, archive: BinaryIO | None = None, with_bodies: bool = False
    ) -> None:
        self.queue = system.queue("notifications_dlq" if selection.notifications else "orders_dlq")
        self.chosen: dict[str, DeadLetter] = {}
        self.hidden = self._moved = 0
        self._selection = selection
        self._is_archive, self._is_started = bool(archive), False
        if archive:
            self.name, self.found = archive.name, read_archive(archive)
            return

        def read(message: Message) -> DeadLetter:
            letter = (failed_notification if selection.notifications else dead_letter)(message)
            return replace(letter, body=message["Body"]) if with_bodies else letter

        self.name = f"the dead-letter queue{' of notifications' if selection.notifications else ''}"
        with progress(f"Reading {self.name}", self.queue.depth().visible) as advance:
            self.found, self.hidden = peek(self.queue, read, advance)
        if not selection.notifications:
            self.found = with_reasons(self.found, system.log)
        if self.hidden:
            messages = counted(self.hidden, "message")
            report(f"{messages} hidden by another reader or a killed run: run this again in a minute")

    def confirm(self, advised: frozenset[Kind], mode: Mode, action: str, where: str) -> bool:
        """Select messages, report them and ask; return whether the command must act."""
        self._mode = mode
        self.chosen = {letter.message_id: letter for letter in self._selection.of(self.found, advised)}
        # --limit and --since may exclude messages of the selected kinds; the hint is not about these.
        selectable = replace(self._selection, limit=None, since=None).of(self.found, advised)
        ids = {letter.message_id for letter in selectable}
        others = Counter(letter.reason.kind.name.lower() for letter in self.found if letter.message_id not in ids)
        if self.chosen and not mode.as_json:
            _print_groups(list(self.chosen.values()))
        if others:
            kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(others.items()))
            report(f"not selected: {kinds} (select them by --kind, --reason or --order)")
        number = counted(len(self.chosen), "message")
        if not self.chosen:
            report(f"{number} to {action} in {self.name}")
        else:
            would, question = f"would {action} {number} {where}", f"{action.capitalize()} {number} {where}?"
            self._is_started = mode.should_do(would, question)
        return self._is_started

    def move(self, label: str, transfer: Transfer, rate_limit: RateLimit) -> None:
        moves = move(self.chosen.keys(), self.queue, transfer, rate_limit)
        if self._is_archive:
            bodies = [{"Body": letter.body} for letter in self.chosen.values()]
            moves = (len(transfer(batch)) for batch in rate_limit.batches(bodies))
        with closing(moves), progress(label, len(self.chosen)) as advance:
            for number in moves:
                self._moved += number
                advance(number)

    def report(self, done: str, detail: str = "", file: Path | None = None) -> int:
        """Print the result, and return the exit status."""
        left = len(self.chosen) - self._moved if self._is_started else 0
        written = str(file) if file and file.exists() else None
        if self._is_started:
            detail = detail or (f"the file is {written}" if written else "")
            report(f"{counted(self._moved, 'message')} {done}" + (f"; {detail}" if detail else ""))
        if left:
            report(f"{counted(left, 'message')} still in {self.name}: run this again; no order is stored twice")
        if self._mode.as_json:
            counts = {"selected": len(self.chosen), done: self._moved, "not_moved": left, "hidden": self.hidden}
            print_json({**counts, "file": written})
        return FAILED if left or self.hidden else 0


def _print_groups(letters: Sequence[DeadLetter]) -> None:
    rows = []
    for group in groups_of(letters):
        oldest, newest = group["oldest"], group["newest"]
        example = group.get("notifications", oldest.get("order_id") or oldest["message_id"])
        times = (oldest["sent_at"], newest["sent_at"])
        rows.append([group["count"], group["reason"], group["kind"].lower(), *times, example, group["what_to_do"]])
    example = "EXAMPLE" if "order_id" in letters[0].document() else "NOTIFICATIONS"
    print_table(["COUNT", "REASON", "KIND", "OLDEST", "NEWEST", example, "WHAT TO DO"], rows)
