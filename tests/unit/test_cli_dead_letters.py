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
from orders_cli.log import EventLog
from support.sample_orders import submitted
from support.stub_aws.logs import FakeLogs

SENT = datetime(2025, 4, 25, 10, tzinfo=UTC)
NOT_JSON = Reason("the message is not JSON", Kind.UNREADABLE)
LATER = Reason(MessageVersionUnknownError.REASON, Kind.LATER)


def message(body: str) -> dict[str, Any]:
    attributes = {"SentTimestamp": str(int(SENT.timestamp() * 1000)), "ApproximateReceiveCount": "6"}
    return {"MessageId": "m1", "Body": body, "Attributes": attributes}


@pytest.mark.parametrize(
    ("body", "order_id", "reason"),
    [
        (write_message(submitted()), submitted().order_id, UNKNOWN),
        ("poison", None, NOT_JSON),
        (write_message(submitted()).replace(f'"version":{VERSION}', '"version":99'), None, LATER),
    ],
)
def test_dead_letter_has_an_order_id_or_a_reason(body: str, order_id: str | None, reason: Reason) -> None:
    assert dead_letter(message(body)) == DeadLetter("m1", order_id, SENT, 6, reason, body=body)


ORDER, POISON = DeadLetter("m1", "o1", SENT, 6), DeadLetter("m1", None, SENT, 6, NOT_JSON)


def event(name: str = "order_failed", **fields: Any) -> dict[str, Any]:
    return {"message": name, **fields}


@pytest.mark.parametrize(
    ("letter", "events", "reason"),
    [
        (ORDER, [], UNKNOWN),
        (POISON, [], NOT_JSON),
        (
            ORDER,
            [
                event(message_id="m1", order_id="o1", reason="ThrottlingError"),
                event(message_id="m1", order_id="o1", reason="AccessDenied"),
            ],
            Reason("AccessDenied", Kind.REFUSED),
        ),
        (ORDER, [event("order_conflict", message_id="m1", reason="forged")], Reason("forged", Kind.CONFLICT)),
        (POISON, [event(message_id="m1", reason=LATER.text)], LATER),
        # A moved message is identified by its order id. An event with its own message id takes precedence.
        (ORDER, [event(message_id="former", order_id="o1", reason="moved")], Reason("moved", Kind.REFUSED)),
        (
            ORDER,
            [
                event(message_id="m1", order_id="o1", reason="own"),
                event(message_id="m0", order_id="o1", reason="moved"),
            ],
            Reason("own", Kind.REFUSED),
        ),
        (ORDER, [event(message_id="m2", order_id="o2", reason="AccessDenied"), event(reason="no id")], UNKNOWN),
        (ORDER, [event("order_duplicate", message_id="m1", order_id="o1")], UNKNOWN),
    ],
)
def test_reason_is_the_last_logged_failure(letter: DeadLetter, events: list[dict[str, Any]], reason: Reason) -> None:
    lines = [
        {"timestamp": (SENT + timedelta(minutes=minute)).timestamp() * 1000, "message": json.dumps(line)}
        for minute, line in enumerate(events)
    ]
    log = EventLog(FakeLogs(processing=lines), "")
    [found] = with_reasons([letter], log)
    assert found.reason == reason


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
        (Selection(kinds=frozenset({Kind.CONFLICT})), "m3"),
        (Selection(kinds=frozenset(Kind), limit=4), "m0 m1 m2 m3"),
        (Selection(since=SENT + timedelta(minutes=1)), "m1 m2"),
    ],
)
def test_selection_defaults_to_the_advised_kinds(selection: Selection, chosen: str) -> None:
    assert [letter.message_id for letter in selection.of(reversed(LETTERS), REDRIVEN)] == chosen.split()


def test_advice_and_default_selections_agree() -> None:
    assert set(Kind) == REDRIVEN | DROPPED
    assert not REDRIVEN & DROPPED
    for kind in Kind:
        assert ("redrive" in kind.value) == (kind in REDRIVEN)
