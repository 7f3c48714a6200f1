"""`orders dlq`: list, show, redrive or drop dead letters, of orders or of notifications."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders_cli.archive import entry_of, new_archive, read_archive, require_new
from orders_cli.clock import Moment, utc_now
from orders_cli.console import counted, print_fields, print_json, print_line, print_table, progress, say
from orders_cli.dead_letters import (
    DROPPED,
    REDRIVEN,
    DeadLetter,
    Group,
    Kind,
    Selection,
    dead_letter,
    groups_of,
    with_reasons,
)
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.notifications import ExpiredError, Notifier, OrderStream, failed_notification
from orders_cli.options import Mode, OrderId, Target, changes_system, on_system
from orders_cli.queue import Message, Moved, Pace, Queue, move, peek, send_again
from orders_cli.system import System

_KINDS = [*(kind.name.lower() for kind in Kind), "all"]

# The notification function is invoked once per ten orders, and an entry holds at most a batch.
_SECONDS_PER_ENTRY = 10

_notifications = click.option(
    "--notifications", is_flag=True, help="The dead-letter queue of notifications instead of orders."
)


def _selects(function: Any) -> Any:
    """Add the options that select letters; they arrive as one `selection`."""

    @functools.wraps(function)
    def command(
        *,
        reason: str | None,
        kind: Sequence[str],
        order_id: str | None,
        since: datetime | None,
        limit: int | None,
        **more: Any,
    ) -> Any:
        if order_id and more["notifications"]:
            raise click.UsageError("--order: an entry of notifications names no order; use `orders notify`.")
        kinds = frozenset(Kind if "all" in kind else (Kind[name.upper()] for name in kind))
        return function(selection=Selection(reason, order_id, limit, kinds, since), **more)

    for option in (
        click.option("--limit", type=click.IntRange(1), help="At most so many, oldest first."),
        click.option("--since", type=Moment(), help="Only those sent at this moment or later."),
        click.option("--order", "order_id", type=OrderId(), help="Only those of this order id."),
        click.option("--kind", type=click.Choice(_KINDS), multiple=True, help="Only those of this kind; repeatable."),
        click.option("--reason", help="Only those whose reason contains this, in any case."),
    ):
        command = option(command)
    return command


@click.group()
def dlq() -> None:
    """List, show, redrive or drop dead letters.

    An order that was received five times and not stored is in the dead-letter queue for fourteen days. The processing
    function logged the reason; `list` groups by it.

    \b
    find the reasons      orders dlq list
    inspect messages      orders dlq show --reason "text of the reason"
    fix the cause, then   orders dlq redrive
    what is not an order  orders dlq drop --to poison.jsonl
    undo a drop           orders dlq redrive --from poison.jsonl

    These commands hide the messages from other readers while they read, for some seconds with thousands of them. The
    alarm counts visible messages, so it may go to OK and back. If the tool is killed, SQS makes the messages visible by
    itself after a minute or a few.

    With --notifications each command works on failed notifications.
    """


@dlq.command("list", short_help="List dead letters by reason.")
@_selects
@_notifications
@on_system
def list_letters(selection: Selection, notifications: bool, as_json: bool, target: Target) -> int:
    """List dead letters grouped by reason, with advice for each group.

    The reason is what the processing function logged last about the message: an error of the store, such as
    AccessDeniedException or ThrottlingError, or why the message is not an order. With --notifications it is why Lambda
    gave the notification up. The exit status is 1 if messages are hidden by another reader.
    """
    survey = _survey(target.find(), notifications)
    groups = groups_of(selection.of(survey.letters))
    if as_json:
        number = sum(len(group.letters) for group in groups)
        documents = [_group_document(group, notifications) for group in groups]
        print_json({"messages": number, "hidden": survey.hidden, "groups": documents}, indent=2)
    elif groups:
        _print_groups(groups, notifications)
    elif not survey.hidden:
        say(f"{survey.name} is empty" if not survey.letters else "no dead letter matches")
    return FAILED if survey.hidden else 0


@dlq.command("show", short_help="Show dead letters with their content.")
@_selects
@_notifications
@on_system
def show_letters(selection: Selection, notifications: bool, as_json: bool, target: Target) -> int:
    """Show dead letters one by one with their content, ten unless --limit says otherwise.

    With --json one object per line. The exit status is 3 if there is none.
    """
    survey = _survey(target.find(), notifications)
    chosen = selection.of(survey.letters)[: selection.limit or 10]
    if not chosen:
        raise OperatorError(f"No message in {survey.name} matches.", FAILED if survey.hidden else NOT_FOUND)
    bodies: dict[str, str] = {}
    if not notifications:
        wanted = {letter.message_id for letter in chosen}

        def keep(message: Message) -> None:
            if message["MessageId"] in wanted:
                bodies[message["MessageId"]] = message["Body"]

        peek(survey.queue, keep)
    for letter in chosen:
        document = {**letter.document(), "body": bodies.get(letter.message_id)}
        if as_json:
            print_json(document)
        else:
            print_fields(document)
            print_line("")
    return 0


@dlq.command("redrive", short_help="Move dead letters back to be processed.")
@_selects
@click.option("--from", "file", type=click.Path(path_type=Path), help="Redrive what `drop` wrote to this file.")
@click.option("--rate", type=click.IntRange(1), help="At most so many per second.")
@_notifications
@changes_system
def redrive_letters(
    *, selection: Selection, file: Path | None, rate: int | None, notifications: bool, mode: Mode, target: Target
) -> int:
    """Move dead letters back to the orders queue, to be processed again.

    The command reports what it would do, then asks. Fix the cause first: what fails again is back after five receives,
    and so is the alarm.

    \b
    all whose advice is to redrive   orders dlq redrive
    those of one reason              orders dlq redrive --reason AccessDenied
    one order                        orders dlq redrive --order ORDER_ID
    a few, as a trial                orders dlq redrive --limit 10
    what was dropped                 orders dlq redrive --from FILE
    all, also what is not an order   orders dlq redrive --kind all

    A message leaves the dead-letter queue only after the orders queue has it, and an order that comes twice is stored
    once. So the command can be interrupted or killed, and run again. If it is killed, up to ten messages stay hidden
    for a quarter of a minute.

    With --notifications the notification function sends the notifications again, and their entries are deleted. An
    entry holds a position in the table's stream, which keeps records for a day. Older entries stay: `orders dlq show
    --notifications` shows when their orders were stored. Those with an order_stored and no order_notified in the logs
    of that time are affected; notify them with `orders notify`. Subscribers may receive a notification twice.
    """
    if notifications and (file or rate):
        raise click.UsageError("--from and --rate are for orders, not for --notifications.")
    system = target.find()
    destination = system.queue("orders_queue")
    if file:
        letters = [letter for _, letter in read_archive(file)]
        survey = _Survey(destination, str(file), letters, 0)
    else:
        survey = _survey(system, notifications)
    plan = _Plan(system, survey, selection.of(survey.letters, REDRIVEN), notifications, mode)
    if not plan.is_agreed("redrive", f"back to {system.name}"):
        return plan.report("redriven")
    moved, extra = plan.moved, Counter[str]()
    pace = Pace(rate)
    keep_safe: Callable[[Sequence[Message]], Sequence[Message]] = destination.send
    if notifications:
        pace, keep_safe = Pace(step=1, seconds_each=_SECONDS_PER_ENTRY), partial(_notified, plan, extra)
    try:
        with progress("Redriving", len(plan.chosen)) as advance:
            if file:
                # Read again, so that a file of any size is never held in memory.
                messages = (message for message, letter in read_archive(file) if letter.message_id in plan.ids)
                send_again(messages, moved, target=destination, pace=pace, advance=advance)
            else:
                move(plan.ids, moved, source=survey.queue, keep_safe=keep_safe, pace=pace, advance=advance)
    finally:
        status = plan.report("redriven", f"notified {counted(extra['orders'], 'order')}" if notifications else "")
        if extra["expired"]:
            entries = counted(extra["expired"], "entry", "entries")
            say(f"the stream no longer holds the orders of {entries}; see `orders dlq redrive --help`")
    return status


def _notified(plan: "_Plan", extra: Counter[str], messages: Sequence[Message]) -> Sequence[Message]:
    [letter] = [letter for letter in plan.chosen if letter.message_id == messages[0]["MessageId"]]
    try:
        items = OrderStream(plan.system.client("dynamodbstreams")).new_orders(letter)
    except ExpiredError:
        extra["expired"] += 1
        return []
    Notifier(plan.system).notify(items)
    extra["orders"] += len(items)
    return messages


@dlq.command("drop", short_help="Remove dead letters, into a file.")
@_selects
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path),
    help="The new file for them. Default: named after system and time, in this directory.",
)
@_notifications
@changes_system
def drop_letters(*, selection: Selection, file: Path | None, notifications: bool, mode: Mode, target: Target) -> int:
    """Remove dead letters from the queue after writing them to a file.

    For messages that will never be orders: the default are those whose advice is to drop. Name others by --kind,
    --reason or --order. The command reports what it would do, then asks. A message is deleted only after it is on the
    disk, and an existing file is never overwritten. `orders dlq redrive --from FILE` undoes it. The file holds the
    messages' content and is readable by you only: protect it like any customer data.

    The command can be interrupted or killed: what is not in the file is in the queue. Run it again with another file.

    With --notifications the entries are dropped likewise; use `orders notify` instead of undoing it.
    """
    if file:
        require_new(file)
    system = target.find()
    now = utc_now()
    path = file or Path(f"{system.name}-{'notifications-' if notifications else ''}dlq-{now:%Y%m%dT%H%M%SZ}.jsonl")
    require_new(path)
    survey = _survey(system, notifications)
    advised = frozenset(Kind) if notifications else DROPPED
    plan = _Plan(system, survey, selection.of(survey.letters, advised), notifications, mode, path)
    if not plan.is_agreed("drop", f"to {path}"):
        return plan.report("dropped")
    by_id = {letter.message_id: letter for letter in plan.chosen}
    try:
        with new_archive(path) as keep, progress("Dropping", len(plan.chosen)) as advance:

            def archive(messages: Sequence[Message]) -> Sequence[Message]:
                keep([entry_of(message, by_id[message["MessageId"]], now) for message in messages])
                return messages

            move(plan.ids, plan.moved, source=survey.queue, keep_safe=archive, pace=Pace(), advance=advance)
    finally:
        status = plan.report("dropped", f"the file is {path}" if path.exists() else "")
    return status


@dataclass(frozen=True)
class _Survey:
    """The visible letters of a dead-letter queue, and how many more are hidden by others."""

    queue: Queue
    name: str
    letters: Sequence[DeadLetter]
    hidden: int


def _survey(system: System, notifications: bool) -> _Survey:
    queue = system.queue("notifications_dlq" if notifications else "orders_dlq")
    name = "the dead-letter queue of notifications" if notifications else "the dead-letter queue"
    with progress(f"Reading {name}", queue.depth().visible) as advance:
        letters, hidden = peek(queue, failed_notification if notifications else dead_letter, advance)
    if letters and not notifications:
        maximum_receives = system.queue("orders_queue").maximum_receives()
        letters = with_reasons(letters, log=system.log, maximum_receives=maximum_receives)
    if hidden:
        say(f"{counted(hidden, 'message')} hidden by another reader or a killed run: run this again in a minute")
    return _Survey(queue, name, letters, hidden)


@dataclass
class _Plan:
    """What a command that moves letters is about to do, and what it has done."""

    system: System
    survey: _Survey
    chosen: Sequence[DeadLetter]
    notifications: bool
    mode: Mode
    file: Path | None = None

    def __post_init__(self) -> None:
        self.ids = {letter.message_id for letter in self.chosen}
        self.moved = Moved()
        self._is_started = False

    def is_agreed(self, action: str, where: str) -> bool:
        """Print the plan, and ask; return whether there is something to do."""
        others = Counter(
            letter.reason.kind.name.lower() for letter in self.survey.letters if letter.message_id not in self.ids
        )
        if self.chosen and not self.mode.as_json:
            _print_groups(groups_of(self.chosen), self.notifications)
        if others:
            kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(others.items()))
            say(f"not selected: {kinds} (select by --kind, --reason or --order)")
        if not self.chosen:
            say(f"there is nothing to {action} in {self.survey.name}")
            return False
        number = counted(len(self.chosen), "message")
        if self.mode.dry_run:
            say(f"would {action} {number} {where}; nothing was done")
            return False
        self.mode.confirm(f"{action.capitalize()} {number} {where}?")
        self._is_started = True
        return True

    def report(self, done: str, detail: str = "") -> int:
        moved, number = self.moved, len(self.chosen) if self._is_started else 0
        missing = max(0, number - moved.done - moved.left_behind - moved.refused)
        if self._is_started:
            say(f"{counted(moved.done, 'message')} {done}" + (f"; {detail}" if detail else ""))
        if moved.left_behind:
            say(
                f"{counted(moved.left_behind, 'message')} could not be deleted from the dead-letter queue: run this "
                "again; an order that is redriven twice is stored once"
            )
        if moved.refused:
            say(f"{counted(moved.refused, 'message')} could not be moved and stayed in the queue: run this again")
        if missing:
            say(f"{counted(missing, 'message')} not reached, or moved or hidden by others: run this again")
        if self.mode.as_json:
            print_json(
                {
                    "selected": len(self.chosen),
                    done: moved.done,
                    "not_moved": moved.refused + missing,
                    "not_deleted": moved.left_behind,
                    "hidden": self.survey.hidden,
                    "file": str(self.file) if self.file and self.file.exists() else None,
                }
            )
        return FAILED if moved.refused or moved.left_behind or missing or self.survey.hidden else 0


def _print_groups(groups: Sequence[Group], notifications: bool) -> None:
    more = ["NOTIFICATIONS"] if notifications else ["EXAMPLE"]
    print_table(
        ["COUNT", "REASON", "KIND", "OLDEST", "NEWEST", *more, "WHAT TO DO"],
        [
            [
                len(group.letters),
                group.reason.text,
                group.reason.kind.name.lower(),
                format_timestamp(group.letters[0].sent_at),
                format_timestamp(group.letters[-1].sent_at),
                group.notifications if notifications else group.letters[0].order_id or group.letters[0].message_id,
                group.reason.kind.value,
            ]
            for group in groups
        ],
    )


def _group_document(group: Group, notifications: bool) -> dict[str, Any]:
    return {
        "count": len(group.letters),
        "reason": group.reason.text,
        "kind": group.reason.kind.name,
        "what_to_do": group.reason.kind.value,
        **({"notifications": group.notifications} if notifications else {}),
        "oldest": group.letters[0].document(),
        "newest": group.letters[-1].document(),
    }
