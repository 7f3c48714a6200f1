"""`orders dlq`: what could not be stored, why, and what to do with it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from operator_tool.archive import entry_of, new_archive, read_archive, require_new
from operator_tool.clock import utc_now
from operator_tool.commands import notifications_dlq
from operator_tool.dead_letters import (
    DeadLetter,
    Group,
    Kind,
    Reason,
    Selection,
    dead_letter,
    groups_of,
    reasons_of,
)
from operator_tool.event_log import EventLog
from operator_tool.failures import FAILED, NOT_FOUND, OperatorError
from operator_tool.looking import look_through
from operator_tool.move_task import FASTEST, MoveTaskUnavailableError, move_all
from operator_tool.options import SystemCommand, as_json, confirm, on_system, yes
from operator_tool.queues import Message, Pace, Queue
from operator_tool.redriving import Moved, redrive, send_again, take_out
from operator_tool.system import System
from operator_tool.talk import counted, print_fields, print_json, print_json_line, print_table, progress, say
from orders.domain.order_id import parse_order_id
from orders.domain.timestamp import format_timestamp

Function = TypeVar("Function", bound=Callable[..., Any])

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
    AccessDeniedException or ThrottlingError; "… an idempotency key was used for two orders"; or what is wrong with a
    message that is no order.

    With --notifications: the announcements that failed, grouped by why Lambda gave them up.
    """
    if notifications:
        return notifications_dlq.list_entries(system, as_json)
    survey = _survey(system)
    groups = groups_of(survey.letters, survey.reasons)
    if as_json:
        print_json(
            {"messages": len(survey.letters), "hidden": survey.hidden, "groups": [_group_document(g) for g in groups]}
        )
    elif groups:
        _print_groups(groups, advice=True)
    if not survey.letters:
        say("the dead-letter queue is empty" if not survey.hidden else "nothing else is in the dead-letter queue")
    return 0


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
    survey = _survey(system)
    chosen = selection.of(survey.letters, survey.reasons)
    if not chosen:
        raise OperatorError("There is no such message in the dead-letter queue.", NOT_FOUND)
    wanted = {letter.message_id for letter in chosen}
    bodies: dict[str, str] = {}

    def keep(message: Message) -> None:
        if message["MessageId"] in wanted:
            bodies[message["MessageId"]] = message["Body"]

    look_through(survey.queue, keep)
    for letter in chosen:
        document = {
            **_letter_document(letter, survey.reasons[letter.message_id]),
            "body": bodies.get(letter.message_id),
        }
        if as_json:
            print_json_line(document)
        else:
            print_fields(document)
            click.echo()
    return 0


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
    target = Queue(system.client("sqs"), system.outputs["orders_queue_url"])
    if file:
        return _redrive_file(file, selection, target, rate, dry_run=dry_run, yes=yes)
    survey = _survey(system)
    chosen = selection.of(survey.letters, survey.reasons)
    if not chosen:
        say("there is nothing to redrive")
        return 0
    _print_groups(groups_of(chosen, survey.reasons), advice=True)
    if dry_run:
        say(f"{counted(len(chosen), 'message')} would be brought back; nothing was done")
        return 0
    confirm(f"Bring {counted(len(chosen), 'message')} back into {system.name}'s orders queue?", already=yes)
    with progress("Bringing back", len(chosen)) as advance:
        if selection.is_everything:
            try:
                moved = move_all(
                    system.client("sqs"),
                    source_arn=survey.queue.arn,
                    target_arn=target.arn,
                    rate=rate,
                    advance=advance,
                )
                say(f"SQS has moved {counted(moved, 'message')} back into the orders queue")
                return 0
            except MoveTaskUnavailableError:
                say("SQS has no move task here; the messages are moved one by one")
        result = redrive(
            {letter.message_id for letter in chosen},
            source=survey.queue,
            target=target,
            pace=Pace(rate),
            advance=advance,
        )
    return _report(result, len(chosen), "back in the orders queue", survey.hidden)


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
    survey = _survey(system)
    chosen = selection.of(survey.letters, survey.reasons)
    if not chosen:
        say("there is nothing to drop")
        return 0
    _print_groups(groups_of(chosen, survey.reasons), advice=True)
    if dry_run:
        say(f"{counted(len(chosen), 'message')} would be dropped; nothing was done")
        return 0
    confirm(f"Remove {counted(len(chosen), 'message')} from {system.name}, after writing them to {path}?", already=yes)
    by_id = {letter.message_id: letter for letter in chosen}
    with ExitStack() as stack:
        archive = stack.enter_context(new_archive(path))
        advance = stack.enter_context(progress("Dropping", len(chosen)))

        def keep(messages: Sequence[Message]) -> Sequence[Message]:
            archive.keep([_entry(message, by_id[message["MessageId"]], survey, now) for message in messages])
            return messages

        result = take_out(by_id.keys(), source=survey.queue, keep_safe=keep, advance=advance)
    return _report(result, len(chosen), f"in {path} and gone from the queue", survey.hidden)


def _entry(message: Message, letter: DeadLetter, survey: "_Survey", now: datetime) -> dict[str, Any]:
    reason = survey.reasons[letter.message_id].text
    return entry_of(message, order_id=letter.order_id, reason=reason, sent_at=letter.sent_at, now=now)


@dataclass(frozen=True)
class _Survey:
    """All that is visible in the dead-letter queue, and how many more are hidden by somebody else."""

    queue: Queue
    letters: Sequence[DeadLetter]
    reasons: dict[str, Reason]
    hidden: int


def _survey(system: System) -> _Survey:
    sqs = system.client("sqs")
    queue = Queue(sqs, system.outputs["orders_dlq_url"])
    depth = queue.depth()
    with progress("Looking through the dead-letter queue", depth.visible) as advance:
        letters = look_through(queue, dead_letter, advance)
    receives = Queue(sqs, system.outputs["orders_queue_url"]).receives_before_giving_up() if letters else 0
    reasons = reasons_of(letters, log=EventLog(system.client("logs"), system.log_group), receives=receives)
    if depth.in_flight:
        say(
            f"{counted(depth.in_flight, 'more message')} cannot be seen: somebody else is looking at them, or a run "
            "that was killed was; they show again by themselves"
        )
    return _Survey(queue, letters, reasons, depth.in_flight)


def _selection(reason: str | None, order_id: str | None, limit: int | None) -> Selection:
    if order_id is not None and parse_order_id(order_id) is None:
        raise click.UsageError("--order: no system of this kind ever issued that order id; look for typos.")
    return Selection(reason, parse_order_id(order_id) if order_id else None, limit)


def _redrive_file(
    path: Path, selection: Selection, target: Queue, rate: int | None, *, dry_run: bool, yes: bool
) -> int:
    # Read twice, so that a file of any size is never held as a whole.
    letters, reasons = [], {}
    for _, letter, text in read_archive(path):
        letters.append(letter)
        reasons[letter.message_id] = Reason(text, Kind.UNKNOWN)
    chosen = selection.of(letters, reasons)
    if not chosen:
        say(f"there is nothing to bring back in {path}")
        return 0
    _print_groups(groups_of(chosen, reasons), advice=False)
    if dry_run:
        say(f"{counted(len(chosen), 'message')} would be brought back; nothing was done")
        return 0
    confirm(f"Bring {counted(len(chosen), 'message')} of {path} back into the orders queue?", already=yes)
    wanted = {letter.message_id for letter in chosen}
    messages = (message for message, letter, _ in read_archive(path) if letter.message_id in wanted)
    with progress("Bringing back", len(chosen)) as advance:
        result = send_again(messages, target=target, pace=Pace(rate), advance=advance)
    return _report(result, len(chosen), "back in the orders queue; the file is as it was")


def _report(result: Moved, chosen: int, where: str, hidden: int = 0) -> int:
    say(f"{counted(result.done, 'message')} {'is' if result.done == 1 else 'are'} {where}")
    if result.left_behind:
        say(
            f"{counted(result.left_behind, 'message')} could not be deleted from the dead-letter queue: run this "
            "again; what was brought back twice is stored once"
        )
    if result.refused:
        say(f"{counted(result.refused, 'message')} could not be moved and stayed where they were: run this again")
    missing = chosen - result.done - result.left_behind - result.refused
    if missing > 0:
        say(f"{counted(missing, 'message')} could not be seen any more, moved or hidden by somebody: run this again")
    if hidden:
        say(f"{counted(hidden, 'message')} could not be seen from the beginning: run this again in a minute")
    return FAILED if result.refused or result.left_behind or missing > 0 or hidden else 0


def _print_groups(groups: Sequence[Group], *, advice: bool) -> None:
    columns = ["COUNT", "REASON", "OLDEST", "NEWEST", "FOR EXAMPLE"] + (["WHAT TO DO"] if advice else [])
    print_table(
        columns,
        [
            [
                len(group.letters),
                group.reason.text,
                format_timestamp(group.oldest.sent_at),
                format_timestamp(group.newest.sent_at),
                group.oldest.order_id or f"message {group.oldest.message_id}",
                *([group.reason.kind.value] if advice else []),
            ]
            for group in groups
        ],
    )


def _group_document(group: Group) -> dict[str, Any]:
    return {
        "count": len(group.letters),
        "reason": group.reason.text,
        "kind": group.reason.kind.name,
        "what_to_do": group.reason.kind.value,
        "oldest": _letter_document(group.oldest, group.reason),
        "newest": _letter_document(group.newest, group.reason),
    }


def _letter_document(letter: DeadLetter, reason: Reason) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "order_id": letter.order_id,
        "reason": reason.text,
        "sent_at": format_timestamp(letter.sent_at),
        "receives": letter.receives,
    }
