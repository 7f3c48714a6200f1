"""Why a dead letter is dead: by the log, by itself, or unknown; and which of them are meant."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.domain.errors import MessageVersionUnknownError
from orders.domain.message import VERSION, write_message
from orders_cli.dead_letters import (
    UNKNOWN,
    DeadLetter,
    Kind,
    Reason,
    Selection,
    dead_letter,
    groups_of,
    reasons_of,
)
from orders_cli.log import LogEvent
from sample_orders import submitted

SENT = datetime(2025, 4, 25, 10, tzinfo=UTC)


def message(message_id: str = "m1", body: str | None = None, sent: datetime = SENT) -> dict[str, Any]:
    return {
        "MessageId": message_id,
        "ReceiptHandle": "handle",
        "Body": write_message(submitted()) if body is None else body,
        "Attributes": {"SentTimestamp": str(int(sent.timestamp() * 1000)), "ApproximateReceiveCount": "6"},
    }


def letter(message_id: str, order_id: str | None = None, sent: datetime = SENT) -> DeadLetter:
    return DeadLetter(message_id, order_id, None if order_id else "the message is not JSON", sent, 6)


class FakeLog:
    """Events of processing, which the pattern may ask for by their number of receives."""

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
    return reasons_of([one], log=FakeLog(*events), receives=5)[one.message_id]


def test_a_message_of_the_submission_function_is_known_by_its_order() -> None:
    found = dead_letter(message())
    assert found == DeadLetter("m1", submitted().order_id, None, SENT, 6)


def test_a_message_that_is_no_order_says_why() -> None:
    found = dead_letter(message(body="poison"))
    assert (found.order_id, found.unreadable) == (None, "the message is not JSON")


def test_the_reason_is_what_was_logged_last() -> None:
    first = event(receives=1, minute=1, message_id="m1", order_id="o1", reason="ThrottlingError")
    last = event(receives=5, minute=5, message_id="m1", order_id="o1", reason="AccessDenied")
    assert reason_of(letter("m1", "o1"), first, last) == Reason("AccessDenied", Kind.REFUSED)


def test_an_error_of_the_whole_batch_is_a_reason_as_well() -> None:
    failed = event(message_id="m1", order_id="o1", error="StoreUnavailableError < ClientError(AccessDeniedException)")
    assert "AccessDeniedException" in reason_of(letter("m1", "o1"), failed).text


def test_a_conflict_says_that_redriving_does_not_help() -> None:
    found = reason_of(letter("m1", "o1"), event("order_conflict", message_id="m1", order_id="o1", reason="reused"))
    assert found == Reason("reused", Kind.CONFLICT)
    assert "drop" in found.kind.value


def test_what_is_no_order_is_told_apart_from_what_could_not_be_stored() -> None:
    unreadable = event(message_id="m1", reason="the message is not a JSON object")
    assert reason_of(letter("m1"), unreadable).kind is Kind.UNREADABLE


def test_an_order_that_later_code_has_written_is_not_to_be_dropped() -> None:
    later = dead_letter(message(body=write_message(submitted()).replace(f'"version":{VERSION}', '"version":99')))
    logged = event(message_id="m1", reason=MessageVersionUnknownError.REASON)
    for found in (reason_of(later), reason_of(letter("m1"), logged)):
        assert found == Reason(MessageVersionUnknownError.REASON, Kind.LATER)
        assert "redrive" in found.kind.value


def test_earlier_attempts_count_where_the_last_one_was_cut_short() -> None:
    early = event(receives=3, message_id="m1", order_id="o1", reason="AccessDenied")
    log = FakeLog(early)
    assert reasons_of([letter("m1", "o1")], log=log, receives=5)["m1"].text == "AccessDenied"
    assert len(log.patterns) == 2


def test_one_question_is_enough_where_the_last_attempt_tells() -> None:
    log = FakeLog(event(message_id="m1", order_id="o1", reason="AccessDenied"))
    reasons_of([letter("m1", "o1")], log=log, receives=5)
    assert len(log.patterns) == 1


def test_a_message_that_was_moved_is_known_by_its_order() -> None:
    former = event(message_id="former", order_id="o1", reason="AccessDenied")
    assert reason_of(letter("moved", "o1"), former).text == "AccessDenied"
    # Its own event counts for more.
    own = event(minute=0, message_id="moved", order_id="o1", reason="own")
    assert reason_of(letter("moved", "o1"), own, former).text == "own"


def test_without_any_event_the_message_speaks_for_itself_or_nothing_is_known() -> None:
    assert reason_of(letter("m1")) == Reason("the message is not JSON", Kind.UNREADABLE)
    assert reason_of(letter("m1", "o1")) == UNKNOWN


def test_other_events_and_events_of_other_messages_are_no_reason() -> None:
    others = (
        event("order_duplicate", message_id="m1", order_id="o1"),
        event(message_id="m2", order_id="o2", reason="AccessDenied"),
    )
    assert reason_of(letter("m1", "o1"), *others) == UNKNOWN


def test_the_log_is_asked_from_a_little_before_the_oldest_message_on() -> None:
    early = event(minute=0, message_id="m1", order_id="o1", reason="clocks differ")
    early = LogEvent("e", SENT - timedelta(seconds=30), "processing", early.name, early.fields)
    assert reason_of(letter("m1", "o1"), early).text == "clocks differ"


LETTERS = [letter(f"m{number}", f"o{number}", SENT + timedelta(minutes=number)) for number in range(4)]
REASONS = {
    "m0": Reason("ClientError(AccessDeniedException)", Kind.REFUSED),
    "m1": Reason("ThrottlingError", Kind.REFUSED),
    "m2": Reason("ClientError(AccessDeniedException)", Kind.REFUSED),
    "m3": Reason("used for two orders", Kind.CONFLICT),
}


def test_letters_are_grouped_by_reason_the_largest_group_first() -> None:
    groups = groups_of(LETTERS, REASONS)
    assert [(len(group.letters), group.reason.text) for group in groups] == [
        (2, "ClientError(AccessDeniedException)"),
        (1, "ThrottlingError"),
        (1, "used for two orders"),
    ]
    assert (groups[0].oldest.message_id, groups[0].newest.message_id) == ("m0", "m2")


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), ["m0", "m1", "m2", "m3"]),
        (Selection(reason="accessdenied"), ["m0", "m2"]),
        (Selection(reason="no such reason"), []),
        (Selection(order_id="o3"), ["m3"]),
        (Selection(order_id="o3", reason="access"), []),
        (Selection(limit=2), ["m0", "m1"]),
        (Selection(reason="AccessDenied", limit=1), ["m0"]),
    ],
)
def test_a_selection_means_the_oldest_of_what_fits(selection: Selection, chosen: list[str]) -> None:
    assert [one.message_id for one in selection.of(reversed(LETTERS), REASONS)] == chosen
    assert selection.is_everything is (selection == Selection())
