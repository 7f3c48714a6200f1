"""What lies in the orders' dead-letter queue, and why: each message, its order if it has one, and its reason."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Protocol

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.message import read_message
from orders_cli.log import LogEvent

# Between the clocks of SQS, Lambda and CloudWatch Logs.
_CLOCKS_APART = timedelta(minutes=1)

_FAILURES = ("order_failed", "order_conflict")


class Kind(Enum):
    """What a reason means for whoever has to repair it; the value says what to do."""

    CONFLICT = "the message is forged: its order id belongs to another order; find out who sent it, then drop"
    LATER = "it is an order, written by later code: deploy that again, then redrive; never drop it"
    UNREADABLE = "it is no order of this system: find out who sent it, then drop"
    REFUSED = "repair the cause, then redrive"
    UNKNOWN = "the function ended before it could say why (timeout, memory, throttling): read its log"


@dataclass(frozen=True)
class Reason:
    """Why a message could not be stored, in the words of the event log."""

    text: str
    kind: Kind


UNKNOWN = Reason("nothing was logged about it", Kind.UNKNOWN)


@dataclass(frozen=True)
class DeadLetter:
    """One message, without its content.

    `order_id` is None, and `unreadable` says why, where it carries no order. `receives` counts how often it was
    received in all, by the processing function and by whoever looked at it since.
    """

    message_id: str
    order_id: str | None
    unreadable: str | None
    sent_at: datetime
    receives: int


def dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    """Return what an SQS message, received with its system attributes, is."""
    order_id, unreadable = None, None
    try:
        order_id = read_message(message["Body"], ORDER_RULES).order_id
    except MessageUnreadableError as error:
        unreadable = str(error)
    attributes = message["Attributes"]
    return DeadLetter(
        message["MessageId"],
        order_id,
        unreadable,
        datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        int(attributes["ApproximateReceiveCount"]),
    )


class FailureLog(Protocol):
    """Where the processing function's events are found."""

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        """Yield the events that match a pattern, oldest first."""


def reasons_of(letters: Sequence[DeadLetter], *, log: FailureLog, receives: int) -> dict[str, Reason]:
    """Return the reason of each letter by message id: what was logged last about it.

    `receives` is the number of receives after which SQS gives a message up: the event of the last one is all that is
    asked for, and the earlier ones only where some letter has none.
    """
    if not letters:
        return {}
    since = min(letter.sent_at for letter in letters) - _CLOCKS_APART
    names = " || ".join(f'$.message = "{name}"' for name in _FAILURES)
    found = _match(letters, log.search("processing", f"{{ ({names}) && $.receives >= {receives} }}", since=since))
    if any(letter.message_id not in found for letter in letters):
        found = _match(letters, log.search("processing", f"{{ {names} }}", since=since))
    return {letter.message_id: found.get(letter.message_id) or _by_itself(letter) for letter in letters}


def _match(letters: Sequence[DeadLetter], events: Iterable[LogEvent]) -> dict[str, Reason]:
    wanted = {letter.message_id for letter in letters}
    letters_of_order: dict[str, list[str]] = {}
    for letter in letters:
        if letter.order_id:
            letters_of_order.setdefault(letter.order_id, []).append(letter.message_id)
    by_message: dict[str, Reason] = {}
    # A message that was moved or brought back has another id than when it failed; its order has not.
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


def _by_itself(letter: DeadLetter) -> Reason:
    return UNKNOWN if letter.unreadable is None else _unread(letter.unreadable)


def _unread(text: str) -> Reason:
    return Reason(text, Kind.LATER if text == MessageVersionUnknownError.REASON else Kind.UNREADABLE)


@dataclass(frozen=True)
class Selection:
    """Which letters are meant: by a part of their reason, by order, and how many at most."""

    reason: str | None = None
    order_id: str | None = None
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def of(self, letters: Iterable[DeadLetter], reasons: Mapping[str, Reason]) -> list[DeadLetter]:
        """Return the letters that are meant, those sent first before the others."""
        part = (self.reason or "").lower()
        chosen = [
            letter
            for letter in sorted(letters, key=lambda letter: (letter.sent_at, letter.message_id))
            if part in reasons[letter.message_id].text.lower() and self.order_id in (None, letter.order_id)
        ]
        return chosen[: self.limit]


@dataclass(frozen=True)
class Group:
    """The letters of one reason."""

    reason: Reason
    letters: Sequence[DeadLetter]

    @property
    def oldest(self) -> DeadLetter:
        """The letter that was sent first."""
        return min(self.letters, key=lambda letter: (letter.sent_at, letter.message_id))

    @property
    def newest(self) -> DeadLetter:
        """The letter that was sent last."""
        return max(self.letters, key=lambda letter: (letter.sent_at, letter.message_id))


def groups_of(letters: Iterable[DeadLetter], reasons: Mapping[str, Reason]) -> list[Group]:
    """Return the letters grouped by reason, the largest group first."""
    groups: dict[Reason, list[DeadLetter]] = {}
    for letter in letters:
        groups.setdefault(reasons[letter.message_id], []).append(letter)
    return [Group(reason, members) for reason, members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0].text))]
