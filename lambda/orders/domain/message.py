"""Write a submitted order as the text of a queue message, and read it back.

The text is JSON in ASCII, because SQS rejects some other characters:

    {"version": 1, "order_id": "…", "order": {…}, "submitted_at": "…", "request_id": "…"}

A message can wait for days, so newer code reads messages of older code and, after a rollback, older code reads messages
of newer code. A new shape or a stricter rule of an order therefore needs a new version and three deployments
(docs/runbook.md, "Changing an order's or a message's shape"):

1. Add a reader for the new version to READERS.
2. Let `write_message` write the new shape, and increase VERSION.
3. When no message of the old version can remain, remove its reader.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from orders.domain.errors import MessageUnreadableError, MessageVersionUnknownError
from orders.domain.order import Order, SubmittedOrder, is_timestamp
from orders.domain.order_id import parse_order_id
from orders.domain.validation import OrderRules

VERSION = 1  # The version that is written. READERS, at the end, has the versions that are read.
MAX_LENGTH = 8 * 1024  # Ten times the longest message of a valid order.

_ORDER_FIELDS = {"customer_id": str, "product_id": str, "quantity": int, "order_date": str}


def write_message(submitted: SubmittedOrder) -> str:
    """Return the message text of `submitted`."""
    # dataclasses.asdict copies every field and takes twenty times as long.
    return json.dumps({"version": VERSION, **vars(submitted), "order": vars(submitted.order)}, separators=(",", ":"))


def read_message(text: str, rules: OrderRules) -> SubmittedOrder:
    """Return the submitted order in a message text of any version in READERS.

    Validates every field, because one invalid item would make DynamoDB reject its whole batch. Raises
    MessageUnreadableError, or MessageVersionUnknownError for a version that is not in READERS.
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
    if type(version) is not int:  # isinstance accepts a bool, and READERS[1.0] is READERS[1]
        raise MessageUnreadableError("version is not a whole number")
    if version not in READERS:
        raise MessageVersionUnknownError
    return READERS[version](message, rules)


def _read_version_1(message: Mapping[str, Any], rules: OrderRules) -> SubmittedOrder:
    order_id = _text(message, "order_id")
    if parse_order_id(order_id) != order_id:
        raise MessageUnreadableError("order_id was not issued by this system")
    submitted_at = _text(message, "submitted_at")
    if not is_timestamp(submitted_at):
        raise MessageUnreadableError("submitted_at is not a timestamp in UTC")
    return SubmittedOrder(order_id, _order(message.get("order"), rules), submitted_at, _text(message, "request_id"))


def _order(fields: Any, rules: OrderRules) -> Order:
    if not isinstance(fields, dict) or fields.keys() != _ORDER_FIELDS.keys():
        raise MessageUnreadableError("order does not have exactly the fields of an order")
    for name, kind in _ORDER_FIELDS.items():
        if type(fields[name]) is not kind:  # isinstance accepts a bool as int
            raise MessageUnreadableError(f"order.{name} is not of type {kind.__name__}")
        if not rules.fields[name](fields[name]):
            raise MessageUnreadableError(f"order.{name} breaks its rule in order.schema.json")
    return Order(**fields)


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise MessageUnreadableError(f"{name} is not a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MessageUnreadableError(f"{name} contains a lone surrogate, which is not a character") from error
    return value


READERS: Mapping[int, Callable[[Mapping[str, Any], OrderRules], SubmittedOrder]] = {
    1: _read_version_1,
}
"""Readers by version. While a version changes, the previous and the next version have one too."""
