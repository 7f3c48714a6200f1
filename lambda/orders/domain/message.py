"""A submitted order as the text of a queue message, and back.

The text is JSON in ASCII, so that no character of it can be one that SQS refuses:

    {"version": 1, "order_id": "…", "order": {…}, "submitted_at": "…", "request_id": "…"}

A message may wait for days and outlive the code that wrote it, and code that is rolled back meets
messages that it never wrote. So a change of shape, or of an order's rules to stricter ones, is a new
version, and comes in three deployments (docs/runbook.md, "Changing the message's shape"):

1. a reader of the new version, and its entry in READERS;
2. `write_message` in the new shape, and VERSION raised: only now can the first be relied on everywhere;
3. when no message of the former version can be left, its reader goes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import parse_order_id
from orders.domain.order_schema import FIELD_RULES
from orders.domain.timestamp import is_timestamp

# What is written. What is read is in READERS, at the end.
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
    """Return the submitted order that a message text carries, of any version in READERS.

    Checks the shape, every type, that all text can be written and that the order keeps its rules,
    whoever sent it: what reaches the table is an order, and none that DynamoDB would refuse costs its
    neighbours a round trip. Raises MessageUnreadableError, saying what is wrong; of a version that is
    not read here it is MessageVersionUnknownError.
    """
    if len(text) > MAX_LENGTH:
        raise MessageUnreadableError(f"the message is over {MAX_LENGTH} characters")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageUnreadableError("the message is not JSON") from error
    if not isinstance(message, dict):
        raise MessageUnreadableError("the message is not a JSON object")
    version = message.get("version")
    if type(version) is not int:  # a bool is an int to isinstance, and 1.0 is found under 1
        raise MessageUnreadableError("version is not a whole number")
    if version not in READERS:
        raise MessageVersionUnknownError
    return READERS[version](message)


def _read_version_1(message: Mapping[str, Any]) -> SubmittedOrder:
    """Read the shape shown above; an order keeps the rules of order.schema.json."""
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


def _text(message: Mapping[str, Any], name: str) -> str:
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


Reader = Callable[[Mapping[str, Any]], SubmittedOrder]
"""Reads a JSON object that names its version; raises MessageUnreadableError, saying what is wrong."""

READERS: Mapping[int, Reader] = {
    1: _read_version_1,
}
"""The versions that are read: the one that is written, the one before, and the one that is to come."""
