"""The reason of a dead letter: from the log, from the message itself, or unknown; and selections of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.domain.errors import MessageVersionUnknownError
from orders.domain.message import VERSION, write_message
from orders_cli.dead_letters import (
    DROPPED,
    REDRIVEN,
    UNKNOWN,
    DeadLetter,
    Kind,
    Reason,
    Selection,
    dead_letter,
    groups_of,
    with_reasons,
)
from orders_cli.log import EventLog, LogEvent
from support.sample_orders import submitted

SENT = datetime(2025, 4, 25, 10, tzinfo=UTC)


def message(message_id: str = "m1", body: str | None = None, sent: datetime = SENT) -> dict[str, Any]:
    return {
        "MessageId": message_id,
        "ReceiptHandle": "handle",
        "Body": write_message(submitted()) if body is None else body,
        "Attributes": {"SentTimestamp": str(int(sent.timestamp() * 1000)), "ApproximateReceiveCount": "6"},
    }


def letter(message_id: str, order_id: str | None = None, sent: datetime = SENT) -> DeadLetter:
    reason = UNKNOWN if order_id else Reason("the message is not JSON", Kind.UNREADABLE)
    return DeadLetter(message_id, order_id, sent, 6, reason)


class FakeLog(EventLog):
    """Events of processing; a pattern may ask for those of the last receive."""

    def __init__(self, *events: LogEvent) -> None:
        self.events = events
        self.patterns: list[str] = []

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        assert function == "processing"
        assert since is not None
        self.patterns.append(pattern)
        last_only = "$.receives >= 5" in pattern
        return iter(
            event for event in self.events if event.time >= since and not (last_only and event.fields["receives"] < 5)
        )


def event(name: str = "order_failed", receives: int = 5, minute: int = 1, **fields: Any) -> LogEvent:
    return LogEvent(
        f"e{minute}", SENT + timedelta(minutes=minute), "processing", name, {"receives": receives, **fields}
    )


def reason_of(one: DeadLetter, *events: LogEvent) -> Reason:
    [found] = with_reasons([one], log=FakeLog(*events), maximum_receives=5)
    return found.reason


def test_message_is_identified_by_its_order() -> None:
    found = dead_letter(message())
    assert found == DeadLetter("m1", submitted().order_id, SENT, 6)


def test_unreadable_message_has_a_reason() -> None:
    found = dead_letter(message(body="poison"))
    assert (found.order_id, found.reason) == (None, Reason("the message is not JSON", Kind.UNREADABLE))


def test_reason_is_what_was_logged_last() -> None:
    first = event(receives=1, minute=1, message_id="m1", order_id="o1", reason="ThrottlingError")
    last = event(receives=5, minute=5, message_id="m1", order_id="o1", reason="AccessDenied")
    assert reason_of(letter("m1", "o1"), first, last) == Reason("AccessDenied", Kind.REFUSED)


def test_advice_on_a_conflict_is_to_drop() -> None:
    found = reason_of(letter("m1", "o1"), event("order_conflict", message_id="m1", order_id="o1", reason="reused"))
    assert found == Reason("reused", Kind.CONFLICT)
    assert "drop" in found.kind.value


def test_advice_on_a_later_version_is_to_redrive() -> None:
    later = dead_letter(message(body=write_message(submitted()).replace(f'"version":{VERSION}', '"version":99')))
    logged = event(message_id="m1", reason=MessageVersionUnknownError.REASON)
    for found in (reason_of(later), reason_of(letter("m1"), logged)):
        assert found == Reason(MessageVersionUnknownError.REASON, Kind.LATER)
        assert "redrive" in found.kind.value


def test_earlier_receives_are_read_if_the_last_is_missing() -> None:
    early = event(receives=3, message_id="m1", order_id="o1", reason="AccessDenied")
    log = FakeLog(early)
    assert with_reasons([letter("m1", "o1")], log=log, maximum_receives=5)[0].reason.text == "AccessDenied"
    assert len(log.patterns) == 2


def test_one_search_is_enough_if_the_last_receive_is_logged() -> None:
    log = FakeLog(event(message_id="m1", order_id="o1", reason="AccessDenied"))
    with_reasons([letter("m1", "o1")], log=log, maximum_receives=5)
    assert len(log.patterns) == 1


def test_moved_message_is_identified_by_its_order() -> None:
    former = event(message_id="former", order_id="o1", reason="AccessDenied")
    assert reason_of(letter("moved", "o1"), former).text == "AccessDenied"
    # Its own event counts for more.
    own = event(minute=0, message_id="moved", order_id="o1", reason="own")
    assert reason_of(letter("moved", "o1"), own, former).text == "own"


def test_reason_without_events() -> None:
    assert reason_of(letter("m1")) == Reason("the message is not JSON", Kind.UNREADABLE)
    assert reason_of(letter("m1", "o1")) == UNKNOWN


def test_other_events_are_not_a_reason() -> None:
    others = (
        event("order_duplicate", message_id="m1", order_id="o1"),
        event(message_id="m2", order_id="o2", reason="AccessDenied"),
    )
    assert reason_of(letter("m1", "o1"), *others) == UNKNOWN


ACCESS = Reason("ClientError(AccessDeniedException)", Kind.REFUSED)
REASONS = [ACCESS, Reason("ThrottlingError", Kind.REFUSED), ACCESS, Reason("forged", Kind.CONFLICT)]
LETTERS = [
    DeadLetter(f"m{number}", f"o{number}", SENT + timedelta(minutes=number), 6, reason)
    for number, reason in enumerate(REASONS)
]


def test_groups_are_by_reason_and_the_largest_comes_first() -> None:
    groups = groups_of(reversed(LETTERS))
    assert [(len(group.letters), group.reason) for group in groups] == [(2, ACCESS), (1, REASONS[1]), (1, REASONS[3])]
    assert [letter.message_id for letter in groups[0].letters] == ["m0", "m2"]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), "m0 m1 m2"),
        (Selection(limit=2), "m0 m1"),
        (Selection(reason="accessdenied"), "m0 m2"),
        (Selection(reason="no such reason"), ""),
        (Selection(reason="forged"), "m3"),
        (Selection(order_id="o3"), "m3"),
        (Selection(order_id="o3", reason="access"), ""),
        (Selection(kinds=frozenset({Kind.CONFLICT})), "m3"),
        (Selection(kinds=frozenset(Kind), limit=4), "m0 m1 m2 m3"),
        (Selection(since=SENT + timedelta(minutes=1)), "m1 m2"),
    ],
)
def test_selection_takes_what_the_advice_allows_unless_it_is_explicit(selection: Selection, chosen: str) -> None:
    assert [letter.message_id for letter in selection.of(reversed(LETTERS), REDRIVEN)] == chosen.split()


def test_advice_and_default_selections_agree() -> None:
    assert set(Kind) == REDRIVEN | DROPPED
    assert not REDRIVEN & DROPPED
    for kind in Kind:
        assert ("redrive" in kind.value) == (kind in REDRIVEN)
