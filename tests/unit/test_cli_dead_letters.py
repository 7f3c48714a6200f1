"""The reason of a dead letter, from the log or the message, and the selection of dead letters."""

import json
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
    with_reasons,
)
from orders_cli.log import EventLog, LogEvent
from support.sample_orders import submitted
from support.stub_aws.logs import FakeLogs

SENT = datetime(2025, 4, 25, 10, tzinfo=UTC)
LATER = Reason(MessageVersionUnknownError.REASON, Kind.LATER)


def log_of(*lines: str) -> EventLog:
    """Return a log with one line per minute."""
    events = [
        {"timestamp": (SENT + timedelta(minutes=minute)).timestamp() * 1000, "message": line}
        for minute, line in enumerate(lines)
    ]
    return EventLog(FakeLogs(processing=events), "")


def test_log_search_returns_ids_and_codes_of_events_and_skips_other_lines() -> None:
    event = {"level": "INFO", "message": "order_failed", "order_id": "o1", "receives": 5, "customer_id": "secret"}
    others = ["START RequestId: 5", "[]", "5", '{"message": 5}', '{"type": "platform.report"}']
    [found] = log_of(json.dumps(event), *others).search("processing", "{ }", SENT)
    assert found == LogEvent(SENT, "processing", "order_failed", {"order_id": "o1", "receives": 5})


def letter_with(body: str) -> DeadLetter:
    attributes = {"SentTimestamp": str(int(SENT.timestamp() * 1000)), "ApproximateReceiveCount": "6"}
    return dead_letter({"MessageId": "m1", "Body": body, "Attributes": attributes})


MESSAGE, ID = write_message(submitted()), submitted().order_id
ORDER, POISON = letter_with(MESSAGE), letter_with("poison")
OF_LATER_RELEASE = letter_with(MESSAGE.replace(f'"version":{VERSION}', '"version":99'))


def event(reason: str, name: str = "order_failed", **ids: str) -> dict[str, Any]:
    return {"message": name, "reason": reason, **ids}


@pytest.mark.parametrize(
    ("letter", "events", "text", "kind"),
    [
        (ORDER, [], UNKNOWN.text, Kind.UNKNOWN),
        (POISON, [], "the message is not JSON", Kind.UNREADABLE),
        (OF_LATER_RELEASE, [], LATER.text, Kind.LATER),
        (ORDER, [event(reason, message_id="m1", order_id=ID) for reason in ("first", "last")], "last", Kind.REFUSED),
        (ORDER, [event("forged", "order_conflict", message_id="m1")], "forged", Kind.CONFLICT),
        (POISON, [event(LATER.text, message_id="m1")], LATER.text, Kind.LATER),
        # A moved message is identified by its order id. An event with its own message id takes precedence.
        (ORDER, [event("moved", message_id="m0", order_id=ID)], "moved", Kind.REFUSED),
        (
            ORDER,
            [event("own", message_id="m1", order_id=ID), event("moved", message_id="m0", order_id=ID)],
            "own",
            Kind.REFUSED,
        ),
        (ORDER, [event("another", message_id="m2", order_id="o2"), event("no id")], UNKNOWN.text, Kind.UNKNOWN),
        (ORDER, [event("", "order_duplicate", message_id="m1", order_id=ID)], UNKNOWN.text, Kind.UNKNOWN),
    ],
)
def test_reason_is_the_last_logged_failure(
    letter: DeadLetter, events: list[dict[str, Any]], text: str, kind: Kind
) -> None:
    [found] = with_reasons([letter], log_of(*map(json.dumps, events)))
    order_id = ID if letter is ORDER else None
    assert found == DeadLetter("m1", order_id, SENT, 6, Reason(text, kind))


ACCESS = Reason("ClientError(AccessDeniedException)", Kind.REFUSED)
REASONS = [ACCESS, Reason("ThrottlingError", Kind.REFUSED), ACCESS, Reason("forged", Kind.CONFLICT)]
LETTERS = [
    DeadLetter(f"m{number}", f"o{number}", SENT + timedelta(minutes=number), 6, reason)
    for number, reason in enumerate(REASONS)
]


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
        (Selection(kinds=["conflict"]), "m3"),
        (Selection(kinds=["all"], limit=4), "m0 m1 m2 m3"),
        (Selection(since=SENT + timedelta(minutes=1)), "m1 m2"),
    ],
)
def test_selection_defaults_to_the_advised_kinds(selection: Selection, chosen: str) -> None:
    assert [letter.message_id for letter in selection.of(reversed(LETTERS), REDRIVEN)] == chosen.split()


def test_advice_and_default_selections_agree() -> None:
    assert set(Kind) == REDRIVEN | DROPPED
    for kind in Kind:
        assert ("redrive" in kind.value) == (kind in REDRIVEN) == (kind not in DROPPED)
