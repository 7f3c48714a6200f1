"""What `orders dlq …` does about orders: dead letters listed, shown, brought back or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from orders.domain.order import format_timestamp
from orders_cli.archive import entry_of, read_archive
from orders_cli.console import counted, print_fields, print_json, print_json_line, print_table, progress, say
from orders_cli.dead_letters import DeadLetter, Group, Kind, Reason, Selection, dead_letter, groups_of, reasons_of
from orders_cli.drop import drop
from orders_cli.errors import FAILED, NOT_FOUND, OperatorError
from orders_cli.log import EventLog
from orders_cli.move_task import MoveTaskUnavailableError, move_all
from orders_cli.options import confirm
from orders_cli.peek import look_through
from orders_cli.queue import Message, Pace, Queue
from orders_cli.redrive import Moved, redrive, send_again
from orders_cli.system import System


def list_letters(system: System, as_json: bool) -> int:
    """Print the letters grouped by reason, with what to do about each group."""
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


def show_letters(system: System, selection: Selection, as_json: bool) -> int:
    """Print letters one by one, with their content."""
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


def redrive_letters(system: System, selection: Selection, rate: int | None, *, dry_run: bool, yes: bool) -> int:
    """Bring letters back into the orders queue: all of them by SQS itself where it can, a selection one by one."""
    target = _orders_queue(system)
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


def redrive_file(
    system: System, path: Path, selection: Selection, rate: int | None, *, dry_run: bool, yes: bool
) -> int:
    """Put what was dropped into a file onto the orders queue."""
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
        result = send_again(messages, target=_orders_queue(system), pace=Pace(rate), advance=advance)
    return _report(result, len(chosen), "back in the orders queue; the file is as it was")


def drop_letters(system: System, selection: Selection, path: Path, now: datetime, *, dry_run: bool, yes: bool) -> int:
    """Write letters to a new file and delete them."""
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

    def entry(message: Message) -> dict[str, Any]:
        letter = by_id[message["MessageId"]]
        reason = survey.reasons[letter.message_id].text
        return entry_of(message, order_id=letter.order_id, reason=reason, sent_at=letter.sent_at, now=now)

    result = drop(by_id.keys(), source=survey.queue, path=path, entry=entry)
    return _report(result, len(chosen), f"in {path} and gone from the queue", survey.hidden)


def _orders_queue(system: System) -> Queue:
    return Queue(system.client("sqs"), system.outputs["orders_queue_url"])


@dataclass(frozen=True)
class _Survey:
    """All that is visible in the dead-letter queue, and how many more are hidden by somebody else."""

    queue: Queue
    letters: Sequence[DeadLetter]
    reasons: dict[str, Reason]
    hidden: int


def _survey(system: System) -> _Survey:
    queue = Queue(system.client("sqs"), system.outputs["orders_dlq_url"])
    depth = queue.depth()
    with progress("Looking through the dead-letter queue", depth.visible) as advance:
        letters = look_through(queue, dead_letter, advance)
    receives = _orders_queue(system).receives_before_giving_up() if letters else 0
    reasons = reasons_of(letters, log=EventLog(system.client("logs"), system.log_group), receives=receives)
    if depth.in_flight:
        say(
            f"{counted(depth.in_flight, 'more message')} cannot be seen: somebody else is looking at them, or a run "
            "that was killed was; they show again by themselves"
        )
    return _Survey(queue, letters, reasons, depth.in_flight)


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
