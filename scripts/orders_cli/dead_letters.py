"""Dead letters: what each message is, why it failed and what to do about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.message import read_message
from orders.domain.order import format_timestamp
from orders_cli.log import EventLog, LogEvent

# Between the clocks of SQS, Lambda and CloudWatch Logs.
_CLOCK_TOLERANCE = timedelta(minutes=1)

_FAILURES = ("order_failed", "order_conflict")


class Kind(Enum):
    """What a reason means to the operator; the value is the advice."""

    CONFLICT = "another order is stored under this id, so the message was forged: find the sender, then drop"
    LATER = "written by a later release: deploy that release again, then redrive; do not drop"
    UNREADABLE = "not an order of this system: find the sender, then drop"
    REFUSED = "fix the cause, then redrive"
    UNKNOWN = "no reason logged (timeout, memory, throttling): read the function's log, fix the cause, then redrive"


# What each command takes unless its options name other letters.
REDRIVEN = frozenset({Kind.LATER, Kind.REFUSED, Kind.UNKNOWN})
DROPPED = frozenset({Kind.CONFLICT, Kind.UNREADABLE})


@dataclass(frozen=True)
class Reason:
    text: str
    kind: Kind


UNKNOWN = Reason("nothing was logged about it", Kind.UNKNOWN)


@dataclass(frozen=True)
class DeadLetter:
    """One message of a dead-letter queue, without its content.

    `order_id` is None if it carries no order. `details` holds what only notifications have.
    """

    message_id: str
    order_id: str | None
    sent_at: datetime
    receives: int
    reason: Reason = UNKNOWN
    details: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        order = {"order_id": self.order_id} if self.details is None else {}
        return {
            "message_id": self.message_id,
            **order,
            "reason": self.reason.text,
            "sent_at": format_timestamp(self.sent_at),
            "receives": self.receives,
            **(self.details or {}),
        }


def dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    order_id, reason = None, UNKNOWN
    try:
        order_id = read_message(message["Body"], ORDER_RULES).order_id
    except MessageUnreadableError as error:
        reason = _unread(str(error))
    return DeadLetter(message["MessageId"], order_id, sent_at(message), receives(message), reason)


def sent_at(message: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)


def receives(message: Mapping[str, Any]) -> int:
    return int(message["Attributes"]["ApproximateReceiveCount"])


def with_reasons(letters: Sequence[DeadLetter], *, log: EventLog, maximum_receives: int) -> list[DeadLetter]:
    """Return the letters with the reason that was logged last about each.

    First only events of the last receive are read; the earlier ones only if a letter has none.
    """
    if not letters:
        return []
    since = min(letter.sent_at for letter in letters) - _CLOCK_TOLERANCE
    names = " || ".join(f'$.message = "{name}"' for name in _FAILURES)
    final = f"{{ ({names}) && $.receives >= {maximum_receives} }}"
    found = _match(letters, log.search("processing", final, since=since))
    if any(letter.message_id not in found for letter in letters):
        found = _match(letters, log.search("processing", f"{{ {names} }}", since=since))
    return [replace(letter, reason=found.get(letter.message_id, letter.reason)) for letter in letters]


def _match(letters: Sequence[DeadLetter], events: Iterable[LogEvent]) -> dict[str, Reason]:
    wanted = {letter.message_id for letter in letters}
    letters_of_order: dict[str, list[str]] = {}
    for letter in letters:
        if letter.order_id:
            letters_of_order.setdefault(letter.order_id, []).append(letter.message_id)
    by_message: dict[str, Reason] = {}
    # A message that was moved has another id than when it failed; its order has not.
    by_order: dict[str, Reason] = {}
    for event in events:
        if event.name not in _FAILURES:
            continue
        if (message_id := event.fields.get("message_id")) in wanted:
            by_message[message_id] = _reason(event)
        else:
            by_order.update(dict.fromkeys(letters_of_order.get(event.fields.get("order_id", ""), ()), _reason(event)))
    return by_order | by_message


def _reason(event: LogEvent) -> Reason:
    text = str(event.fields.get("reason") or event.fields.get("error") or "no reason logged")
    if event.name == "order_conflict":
        return Reason(text, Kind.CONFLICT)
    # An order that could be read has its id in the event.
    return Reason(text, Kind.REFUSED) if "order_id" in event.fields else _unread(text)


def _unread(text: str) -> Reason:
    return Reason(text, Kind.LATER if text == MessageVersionUnknownError.REASON else Kind.UNREADABLE)


@dataclass(frozen=True)
class Selection:
    """Which letters are meant. Without kind, reason or order it is what the advice of the command's kinds allows."""

    reason: str | None = None
    order_id: str | None = None
    limit: int | None = None
    kinds: frozenset[Kind] = frozenset()
    since: datetime | None = None

    @property
    def is_explicit(self) -> bool:
        return bool(self.kinds or self.reason or self.order_id)

    def of(self, letters: Iterable[DeadLetter], advised: frozenset[Kind] = frozenset(Kind)) -> list[DeadLetter]:
        part = (self.reason or "").lower()
        kinds = self.kinds or (frozenset(Kind) if self.is_explicit else advised)
        chosen = [
            letter
            for letter in sorted(letters, key=_age)
            if letter.reason.kind in kinds
            and part in letter.reason.text.lower()
            and self.order_id in (None, letter.order_id)
            and (self.since is None or letter.sent_at >= self.since)
        ]
        return chosen[: self.limit]


@dataclass(frozen=True)
class Group:
    reason: Reason
    letters: Sequence[DeadLetter]

    @property
    def notifications(self) -> int:
        return sum((letter.details or {}).get("notifications") or 0 for letter in self.letters)


def groups_of(letters: Iterable[DeadLetter]) -> list[Group]:
    groups: dict[Reason, list[DeadLetter]] = {}
    for letter in sorted(letters, key=_age):
        groups.setdefault(letter.reason, []).append(letter)
    return [Group(reason, members) for reason, members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0].text))]


def _age(letter: DeadLetter) -> tuple[datetime, str]:
    return letter.sent_at, letter.message_id
