"""A submitted order as the text of a queue message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message, write_message
from orders.domain.order import Order
from sample_orders import SUBMITTED_AT, submitted

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


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


@given(TEXT, TEXT, st.integers(), TEXT)
def test_what_was_written_is_read_back_and_is_ascii(customer: str, product: str, quantity: int, date: str) -> None:
    order = submitted(order=Order(customer, product, quantity, date))

    assert write_message(order).isascii()
    assert read_message(write_message(order)) == order


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
        (json.dumps(message(order=message()["order"] | {"customer_id": "\ud800"})), "customer_id holds a lone"),
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
    ],
)
def test_refuses_any_other_text_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(MessageUnreadableError, match=reason):
        read_message(text)
