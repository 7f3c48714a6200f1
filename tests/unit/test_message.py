"""Serialization of a submitted order as a queue message."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.message import READERS, VERSION, write_message
from orders.domain.message import read_message as read_message_by
from orders.domain.order import SubmittedOrder, format_timestamp, is_timestamp
from support.sample_orders import submitted
from unit.hostile_strategies import JSON_VALUES, damaged, json_texts


def read_message(text: str) -> SubmittedOrder:
    return read_message_by(text, ORDER_RULES)


def message(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(write_message(submitted())) | changes
    return {name: value for name, value in fields.items() if value is not ...}


def changed(**changes: Any) -> str:
    return json.dumps(message(**changes))


def with_order(**changes: Any) -> str:
    return changed(order=message()["order"] | changes)


def test_timestamp_is_in_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))

    assert format_timestamp(datetime(2025, 4, 25, 1, 2, 3, tzinfo=east)) == "2025-04-24T23:02:03.000Z"
    assert format_timestamp(datetime(2025, 4, 25, 1, 2, 3, 456789, tzinfo=UTC)) == "2025-04-25T01:02:03.456Z"
    assert is_timestamp("2025-04-25T01:02:03.456Z")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_message_is_ascii_and_round_trips(request_id: str) -> None:
    written = replace(submitted(), request_id=request_id)

    assert write_message(written).isascii()
    assert read_message(write_message(written)) == written


NOT_TIMESTAMPS = ["", "yesterday", "2025-04-25", "2025-04-25T01:02:03Z", "2025-04-25T01:02:03.000+00:00"]
NOT_TIMESTAMPS += ["2025-02-30T10:00:00.000Z", "2025-04-25T01:02:03.000Z\n"]
INVALID = {
    "is not JSON": ["", "poison", "[" * 5000],
    "is not a JSON object": ["null", "[]"],
    "version is not a whole number": ["{}", *(changed(version=version) for version in (True, "1", 1.0))],
    MessageVersionUnknownError.REASON: [changed(version=version) for version in (2, 10**30)],
    "over 8192 characters": [changed().ljust(8 * 1024 + 1)],
    "order_id is not a string": [changed(order_id=...)],
    "order_id was not issued": [changed(order_id="1"), changed(order_id=submitted().order_id.upper())],
    "submitted_at is not a timestamp": [changed(submitted_at=text) for text in NOT_TIMESTAMPS],
    "request_id is not a string": [changed(request_id=7)],
    "request_id contains a lone surrogate": [changed(request_id="\ud800")],
    "exactly the fields": [changed(order=None), changed(order={"customer_id": "001"}), with_order(more=1)],
    "order.quantity is not of type int": [with_order(quantity="1"), with_order(quantity=True)],
    "order.customer_id is not of type str": [with_order(customer_id=1)],
    # Orders are validated again, because other senders could queue messages.
    "order.quantity breaks its rule": [with_order(quantity=0), with_order(quantity=10**40)],
    "order.customer_id breaks its rule": [with_order(customer_id=""), with_order(customer_id="\ud800")],
    "order.product_id breaks its rule": [with_order(product_id=" ")],
    "order.order_date breaks its rule": [with_order(order_date="2025-02-30")],
}


@pytest.mark.parametrize(("text", "reason"), [(text, reason) for reason, texts in INVALID.items() for text in texts])
def test_invalid_message_is_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MessageUnreadableError, match=reason) as raised:
        read_message(text)
    assert isinstance(raised.value, MessageVersionUnknownError) == (reason == MessageVersionUnknownError.REASON)


def test_message_of_exactly_8192_characters_is_read() -> None:
    assert read_message(changed().ljust(8 * 1024)) == submitted()


@st.composite
def near_messages(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a message with some of its or its order's fields replaced or removed."""
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
def test_any_text_is_a_complete_order_or_unreadable(text: str) -> None:
    try:
        read = read_message(text)
    except MessageUnreadableError:
        return
    assert read_message(write_message(read)) == read
    assert type(read.order.quantity) is int
    assert ORDER_RULES.validate(asdict(read.order)) == read.order
    assert json.dumps(asdict(read), ensure_ascii=False).encode("utf-8")


# The format of version 1. It must not change, because messages are in the queue during a deployment.
WRITTEN_BY_VERSION_1 = (
    f'{{"version":1,"order_id":"{submitted().order_id}","order":{{"customer_id":"001","product_id":"Banana","quantity":1,'
    '"order_date":"2025-04-25"},"submitted_at":"2025-04-25T10:00:00.000Z","request_id":"request-one"}'
)


def test_messages_of_this_and_the_previous_version_are_read() -> None:
    assert VERSION in READERS
    assert VERSION == 1 or VERSION - 1 in READERS, "messages of the previous version are still in the queues"
    assert VERSION > 1 or write_message(submitted()) == WRITTEN_BY_VERSION_1
    assert read_message(WRITTEN_BY_VERSION_1) == submitted()
