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
NOT_JSON = Reason("the message is not JSON", Kind.UNREADABLE)
LATER = Reason(MessageVersionUnknownError.REASON, Kind.LATER)


@pytest.mark.parametrize(
    ("body", "order_id", "reason"),
    [
        (write_message(submitted()), submitted().order_id, UNKNOWN),
        ("poison", None, NOT_JSON),
        (write_message(submitted()).replace(f'"version":{VERSION}', '"version":99'), None, LATER),
    ],
    ids=["order", "poison", "later version"],
)
def test_dead_letter_has_an_order_id_or_a_reason(body: str, order_id: str | None, reason: Reason) -> None:
    attributes = {"SentTimestamp": str(int(SENT.timestamp() * 1000)), "ApproximateReceiveCount": "6"}
    message = {"MessageId": "m1", "Body": body, "Attributes": attributes}
    assert dead_letter(message) == DeadLetter("m1", order_id, SENT, 6, reason)


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


ORDER, POISON = DeadLetter("m1", "o1", SENT, 6), DeadLetter("m1", None, SENT, 6, NOT_JSON)


def event(reason: str, name: str = "order_failed", **ids: str) -> dict[str, Any]:
    return {"message": name, "reason": reason, **ids}


@pytest.mark.parametrize(
    ("letter", "events", "text", "kind"),
    [
        (ORDER, [], UNKNOWN.text, Kind.UNKNOWN),
        (POISON, [], NOT_JSON.text, Kind.UNREADABLE),
        (
            ORDER,
            [event(reason, message_id="m1", order_id="o1") for reason in ("first", "last")],
            "last",
            Kind.REFUSED,
        ),
        (ORDER, [event("forged", "order_conflict", message_id="m1")], "forged", Kind.CONFLICT),
        (POISON, [event(LATER.text, message_id="m1")], LATER.text, Kind.LATER),
        # A moved message is identified by its order id. An event with its own message id takes precedence.
        (ORDER, [event("moved", message_id="m0", order_id="o1")], "moved", Kind.REFUSED),
        (
            ORDER,
            [event("own", message_id="m1", order_id="o1"), event("moved", message_id="m0", order_id="o1")],
            "own",
            Kind.REFUSED,
        ),
        (ORDER, [event("another", message_id="m2", order_id="o2"), event("no id")], UNKNOWN.text, Kind.UNKNOWN),
        (ORDER, [event("", "order_duplicate", message_id="m1", order_id="o1")], UNKNOWN.text, Kind.UNKNOWN),
    ],
)
def test_reason_is_the_last_logged_failure(
    letter: DeadLetter, events: list[dict[str, Any]], text: str, kind: Kind
) -> None:
    [found] = with_reasons([letter], log_of(*map(json.dumps, events)))
    assert found.reason == Reason(text, kind)


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
