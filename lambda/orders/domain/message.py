"""A submitted order as the text of a queue message, and back.

The text is JSON in ASCII, so that no character of it can be one that SQS refuses:

    {"version": 1, "order_id": "…", "order": {…}, "submitted_at": "…", "request_id": "…"}

A message may wait for days and outlive the code that wrote it: whoever changes its shape raises
VERSION and keeps reading the one before.
"""

import json
from typing import Any

from orders.domain.errors import MessageUnreadableError
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import parse_order_id
from orders.domain.order_schema import FIELD_RULES
from orders.domain.timestamp import is_timestamp

VERSION = 1

# The longest that an order admits is a tenth of it.
MAX_LENGTH = 8 * 1024

_ORDER_FIELDS = {"customer_id": str, "product_id": str, "quantity": int, "order_date": str}


def write_message(submitted: SubmittedOrder) -> str:
    """Return the message text that carries `submitted`."""
    # vars(): dataclasses.asdict would copy every field, which takes twenty times as long.
    return json.dumps(
        {"version": VERSION, **vars(submitted), "order": vars(submitted.order)},
        separators=(",", ":"),
    )


def read_message(text: str) -> SubmittedOrder:
    """Return the submitted order that a message text carries.

    Checks the shape, every type, that all text can be written and that the order keeps the rules of
    order.schema.json, whoever sent it: what reaches the table is an order, and none that DynamoDB would
    refuse costs its neighbours a round trip. Raises MessageUnreadableError, saying what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise MessageUnreadableError(f"the message is over {MAX_LENGTH} characters")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageUnreadableError("the message is not JSON") from error
    if not isinstance(message, dict):
        raise MessageUnreadableError("the message is not a JSON object")
    if type(message.get("version")) is not int or message["version"] != VERSION:
        raise MessageUnreadableError(f"the message is not of version {VERSION}")
    order_id = _text(message, "order_id")
    if parse_order_id(order_id) != order_id:
        raise MessageUnreadableError("order_id was not issued by this system")
    submitted_at = _text(message, "submitted_at")
    if not is_timestamp(submitted_at):
        raise MessageUnreadableError("submitted_at is not a moment in UTC")
    return SubmittedOrder(order_id, _order(message.get("order")), submitted_at, _text(message, "request_id"))


def _order(fields: Any) -> Order:
    if not isinstance(fields, dict) or fields.keys() != _ORDER_FIELDS.keys():
        raise MessageUnreadableError("order does not have exactly the fields of an order")
    for name, kind in _ORDER_FIELDS.items():
        if type(fields[name]) is not kind:  # a bool is an int to isinstance
            raise MessageUnreadableError(f"order.{name} is not of type {kind.__name__}")
        if not FIELD_RULES[name](fields[name]):
            raise MessageUnreadableError(f"order.{name} breaks its rule in order.schema.json")
    return Order(**fields)


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise MessageUnreadableError(f"{name} is not a string")
    _require_characters(name, value)
    return value


def _require_characters(name: str, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MessageUnreadableError(f"{name} holds a lone surrogate, which is no character") from error
