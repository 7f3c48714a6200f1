"""Dead letters: the order of each message, why it failed and what to do about it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.message import read_message
from orders.domain.order import format_timestamp
from orders_cli.log import EventLog, LogEvent

# Maximum difference between the clocks of SQS, Lambda and CloudWatch Logs.
_CLOCK_TOLERANCE = timedelta(minutes=1)

_FAILURES = ("order_failed", "order_conflict")


class Kind(Enum):
    """The kind of a failure; the value is the advice to the operator."""

    CONFLICT = "another order is stored under this id, so the message was forged: find the sender, then drop"
    LATER = "written by a later release: deploy that release again, then redrive; do not drop"
    UNREADABLE = "not a valid order: find the sender, then drop"
    REFUSED = "fix the cause, then redrive"
    UNKNOWN = "no reason logged (timeout, memory, throttling): read the function's log, fix the cause, then redrive"


# The kinds that `redrive` and `drop` select by default.
REDRIVEN = frozenset({Kind.LATER, Kind.REFUSED, Kind.UNKNOWN})
DROPPED = frozenset({Kind.CONFLICT, Kind.UNREADABLE})


@dataclass(frozen=True)
class Reason:
    text: str
    kind: Kind


UNKNOWN = Reason("no reason was logged", Kind.UNKNOWN)


@dataclass(frozen=True)
class DeadLetter:
    """One message of a dead-letter queue.

    `order_id` is None if the message holds no order. `details` holds the fields that only notifications have. The body
    is empty unless the command needs it, because a queue can hold thousands.
    """

    message_id: str
    order_id: str | None
    sent_at: datetime
    receives: int
    reason: Reason = UNKNOWN
    details: Mapping[str, Any] | None = None
    body: str = ""

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
    try:
        return letter_of(message, UNKNOWN, read_message(message["Body"], ORDER_RULES).order_id)
    except MessageUnreadableError as error:
        return letter_of(message, _unread(str(error)))


def id_for_customer(message: Mapping[str, Any], customer_id: str) -> str | None:
    """Return the id of the customer's order in a message, or the message id if it is unreadable and has the id."""
    try:
        found = read_message(message["Body"], ORDER_RULES)
        return found.order_id if found.order.customer_id == customer_id else None
    except MessageUnreadableError:
        return str(message["MessageId"]) if json.dumps(customer_id) in message["Body"] else None


def letter_of(
    message: Mapping[str, Any], reason: Reason, order_id: str | None = None, details: Mapping[str, Any] | None = None
) -> DeadLetter:
    """Return the dead letter of an SQS message, which was received with its system attributes."""
    attributes = message["Attributes"]
    sent_at = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    receives = int(attributes["ApproximateReceiveCount"])
    return DeadLetter(message["MessageId"], order_id, sent_at, receives, reason, details)


def with_reasons(letters: Sequence[DeadLetter], log: EventLog) -> list[DeadLetter]:
    """Return the dead letters, each with the last reason that was logged about it."""
    if not letters:
        return []
    since = min(letter.sent_at for letter in letters) - _CLOCK_TOLERANCE
    pattern = " || ".join(f'$.message = "{name}"' for name in _FAILURES)
    reasons: dict[str | None, Reason] = {}
    for event in log.search("processing", f"{{ {pattern} }}", since):
        if event.name in _FAILURES:
            reason = _reason(event)
            reasons |= {event.fields.get(name): reason for name in ("message_id", "order_id")}
    reasons.pop(None, None)
    # A message that was moved has a new message id, but the same order id.
    return [
        replace(letter, reason=reasons.get(letter.message_id) or reasons.get(letter.order_id) or letter.reason)
        for letter in letters
    ]


def _reason(event: LogEvent) -> Reason:
    text = str(event.fields.get("reason") or event.fields.get("error") or "no reason logged")
    if event.name == "order_conflict":
        return Reason(text, Kind.CONFLICT)
    # The event has an order id if the order could be read.
    return Reason(text, Kind.REFUSED) if "order_id" in event.fields else _unread(text)


def _unread(text: str) -> Reason:
    return Reason(text, Kind.LATER if text == MessageVersionUnknownError.REASON else Kind.UNREADABLE)


@dataclass(frozen=True)
class Selection:
    """The dead letters that the options select. Without a kind, reason or order, the command's default kinds."""

    notifications: bool = False
    reason: str | None = None
    order_id: str | None = None
    limit: int | None = None
    kinds: Collection[str] = ()
    since: datetime | None = None

    def of(self, letters: Iterable[DeadLetter], advised: frozenset[Kind] = frozenset(Kind)) -> list[DeadLetter]:
        """Return the selected dead letters, oldest first."""
        part = (self.reason or "").lower()
        kinds = frozenset(Kind) if self.reason or self.order_id or "all" in self.kinds else advised
        if self.kinds and "all" not in self.kinds:
            kinds = frozenset(Kind[name.upper()] for name in self.kinds)
        chosen = [
            letter
            for letter in letters
            if letter.reason.kind in kinds
            and part in letter.reason.text.lower()
            and self.order_id in (None, letter.order_id)
            and (self.since is None or letter.sent_at >= self.since)
        ]
        return sorted(chosen, key=lambda letter: (letter.sent_at, letter.message_id))[: self.limit]


def groups_of(letters: Iterable[DeadLetter]) -> list[dict[str, Any]]:
    """Return a document for each reason, the most frequent first. The dead letters are sorted by time."""
    groups: dict[Reason, dict[str, Any]] = {}
    for letter in letters:
        reason, document = letter.reason, letter.document()
        new = {"count": 0, "reason": reason.text, "kind": reason.kind.name, "what_to_do": reason.kind.value}
        group = groups.setdefault(reason, {**new, "oldest": document})
        group["count"] += 1
        group["newest"] = document
        if letter.details:
            group["notifications"] = group.get("notifications", 0) + (letter.details["notifications"] or 0)
    return sorted(groups.values(), key=lambda group: (-group["count"], group["reason"]))
