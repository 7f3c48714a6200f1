"""A submitted order as the text of a queue message."""

import json
from dataclasses import asdict
from datetime import UTC, date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message, write_message
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import random_order_id
from orders.domain.order_rules import validate_order
from orders.domain.timestamp import format_timestamp
from sample_orders import SUBMITTED_AT, submitted
from unit.hostile_strategies import JSON_VALUES, damaged, json_texts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
CUSTOMER = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
PRODUCT = st.from_regex(r"[A-Za-z0-9._-]([A-Za-z0-9._ -]{0,126}[A-Za-z0-9._-])?", fullmatch=True)


def message(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(write_message(submitted())) | changes
    return {name: value for name, value in fields.items() if value is not ...}


def test_a_message_carries_version_order_id_time_and_request() -> None:
    assert json.loads(write_message(submitted())) == {
        "version": 1,
        "order_id": submitted().order_id,
        "order": {
            "customer_id": "001",
            "product_id": "Banana",
            "quantity": 1,
            "order_date": "2025-04-25",
        },
        "submitted_at": SUBMITTED_AT,
        "request_id": "request-one",
    }


@given(
    st.binary(min_size=12, max_size=12).map(random_order_id),
    st.builds(Order, CUSTOMER, PRODUCT, st.integers(1, 9999), st.dates().map(date.isoformat)),
    st.datetimes(timezones=st.just(UTC)).map(format_timestamp),
    TEXT,
)
def test_what_was_written_is_read_back_and_is_ascii(order_id: str, order: Order, at: str, request_id: str) -> None:
    written = SubmittedOrder(order_id, order, at, request_id)

    assert write_message(written).isascii()
    assert read_message(write_message(written)) == written


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ("poison", "is not JSON"),
        ("[" * 5000, "is not JSON"),
        ("null", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", "is not of version 1"),
        (json.dumps(message(version=2)), "is not of version 1"),
        (json.dumps(message(version=True)), "is not of version 1"),
        (json.dumps(message(version="1")), "is not of version 1"),
        (json.dumps(message(version=1.0)), "is not of version 1"),
        (json.dumps(message()).ljust(8 * 1024 + 1), "over 8192 characters"),
        (json.dumps(message(request_id="\ud800")), "request_id holds a lone surrogate"),
        (json.dumps(message(order=message()["order"] | {"customer_id": "\ud800"})), "order.customer_id breaks"),
        (json.dumps(message(order_id=...)), "order_id is not a string"),
        (json.dumps(message(order_id="1")), "order_id was not issued"),
        (json.dumps(message(order_id=submitted().order_id.upper())), "order_id was not issued"),
        (json.dumps(message(submitted_at="yesterday")), "submitted_at is not a moment"),
        (json.dumps(message(submitted_at="2025-02-30T10:00:00.000Z")), "submitted_at is not a moment"),
        (json.dumps(message(request_id=7)), "request_id is not a string"),
        (json.dumps(message(order=None)), "exactly the fields"),
        (json.dumps(message(order={"customer_id": "001"})), "exactly the fields"),
        (json.dumps(message(order=message()["order"] | {"more": 1})), "exactly the fields"),
        (
            json.dumps(message(order=message()["order"] | {"quantity": "1"})),
            "order.quantity is not of type int",
        ),
        (
            json.dumps(message(order=message()["order"] | {"quantity": True})),
            "order.quantity is not of type int",
        ),
        (
            json.dumps(message(order=message()["order"] | {"customer_id": 1})),
            "order.customer_id is not of type str",
        ),
        # Whoever may send to the queue, what reaches the table is an order.
        (json.dumps(message(order=message()["order"] | {"quantity": 0})), "order.quantity breaks its rule"),
        (json.dumps(message(order=message()["order"] | {"quantity": 10**40})), "order.quantity breaks its rule"),
        (json.dumps(message(order=message()["order"] | {"customer_id": ""})), "order.customer_id breaks its rule"),
        (json.dumps(message(order=message()["order"] | {"product_id": " "})), "order.product_id breaks its rule"),
        (json.dumps(message(order=message()["order"] | {"order_date": "2025-02-30"})), "order.order_date breaks"),
    ],
)
def test_refuses_any_other_text_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(MessageUnreadableError, match=reason):
        read_message(text)


@st.composite
def near_messages(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a message with some of its fields, or of its order's, replaced, left out or put to others."""
    drawn = message()
    for fields in (drawn, drawn["order"]):
        for name in draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=2)):
            fields[name] = draw(JSON_VALUES | st.text("a\ud800\udc00", max_size=2))
    if draw(st.booleans()):
        del drawn[draw(st.sampled_from(sorted(drawn)))]
    return drawn


@settings(max_examples=500)
@given(
    st.text(max_size=200)
    | json_texts(near_messages())
    | damaged(json_texts(near_messages())).map(lambda body: body.decode("utf-8", "surrogateescape"))
)
def test_any_text_is_a_whole_order_or_unreadable(text: str) -> None:
    try:
        read = read_message(text)
    except MessageUnreadableError:
        return
    assert read_message(write_message(read)) == read
    assert type(read.order.quantity) is int
    assert validate_order(asdict(read.order)) == read.order
    assert json.dumps(asdict(read), ensure_ascii=False).encode("utf-8")
