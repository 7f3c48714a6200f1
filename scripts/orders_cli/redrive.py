"""Bringing dead letters back to their queue, message by message.

A message leaves the dead-letter queue only after SQS has confirmed that the other queue has it: send, then delete. So
at any moment each is in one of the two, or for a moment in both. Twice is harmless: the order's id is its identity and
the table takes it once. Being killed half-way therefore loses nothing, and the next run does the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orders_cli.console import Advance
from orders_cli.peek import released
from orders_cli.queue import BATCH_SIZE, Message, Pace, Queue, seconds_to_see

# How long the few messages that are being moved are hidden: what a killed run keeps the next one from seeing.
_HIDING_SECONDS = 15


@dataclass
class Moved:
    """What came of it, in numbers of messages."""

    done: int = 0
    """Gone from where they were, and safely where they were to go."""
    refused: int = 0
    """Not taken by the other queue: left where they were."""
    left_behind: int = 0
    """Safely where they were to go, but still where they were too; harmless."""


def redrive(message_ids: AbstractSet[str], *, source: Queue, target: Queue, pace: Pace, advance: Advance) -> Moved:
    """Move the messages of these ids from `source` to `target`, no faster than `pace`.

    A message that comes back to `source` meanwhile has another id, so this ends.
    """

    def send(messages: Sequence[Message]) -> Sequence[Message]:
        pace.wait(len(messages))
        return target.send(messages)

    return take_out(
        message_ids, source=source, keep_safe=send, step=pace.step, seconds_each=pace.seconds_for(1), advance=advance
    )


def take_out(
    message_ids: AbstractSet[str],
    *,
    source: Queue,
    keep_safe: Callable[[Sequence[Message]], Sequence[Message]],
    step: int = BATCH_SIZE,
    seconds_each: float = 0,
    advance: Advance,
) -> Moved:
    """Remove the messages of these ids from `source`, each after `keep_safe` has said that it is safe elsewhere.

    `keep_safe` gets at most `step` messages at once, needs about `seconds_each` for one, and returns those that are
    safe. Every other message is where it was, and visible, at the end.
    """
    visible = source.depth().visible
    if len(message_ids) >= visible:
        # All of them: ten at a time, so that hardly any is hidden should this process be killed.
        sweep = source.sweep(receivers=1, hiding_seconds=_HIDING_SECONDS + seconds_each * BATCH_SIZE)
    else:
        sweep = source.sweep(hiding_seconds=seconds_to_see(visible) + seconds_each * len(message_ids))
    moved = Moved()
    remaining = set(message_ids)
    with released(source) as hidden:
        for batch in sweep:
            kept = {message["MessageId"]: message["ReceiptHandle"] for message in batch}
            wanted = [message for message in batch if message["MessageId"] in remaining]
            try:
                for messages in _parts(wanted, step):
                    safe = keep_safe(messages)
                    deleted = source.delete(safe)
                    for message in deleted:
                        del kept[message["MessageId"]]
                    moved.done += len(deleted)
                    moved.refused += len(messages) - len(safe)
                    moved.left_behind += len(safe) - len(deleted)
                    advance(len(messages))
            finally:
                hidden.extend(kept.values())
            remaining -= {message["MessageId"] for message in wanted}
            if not remaining:
                break
    return moved


def send_again(messages: Iterable[Message], *, target: Queue, pace: Pace, advance: Advance) -> Moved:
    """Put messages that are in no queue onto `target`."""
    moved = Moved()
    batch: list[Message] = []

    def send() -> None:
        pace.wait(len(batch))
        sent = target.send(batch)
        moved.done += len(sent)
        moved.refused += len(batch) - len(sent)
        advance(len(batch))
        batch.clear()

    for message in messages:
        batch.append(message)
        if len(batch) == pace.step:
            send()
    if batch:
        send()
    return moved


def _parts(messages: Sequence[Message], size: int) -> list[Sequence[Message]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]
