"""An order in each of its states: requested, submitted, processed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

_RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True)
class Order:
    """The order of a customer, valid according to order.schema.json.

    `quantity` is a number of pieces, `order_date` a calendar date as YYYY-MM-DD.
    """

    customer_id: str
    product_id: str
    quantity: int
    order_date: str


@dataclass(frozen=True)
class SubmittedOrder:
    """An order and its id, as a queue message contains them.

    `submitted_at` is RFC 3339 in UTC; `request_id` is API Gateway's id of the request.
    """

    order_id: str
    order: Order
    submitted_at: str
    request_id: str


@dataclass(frozen=True)
class ProcessedOrder:
    """An order as the table stores it; both times are RFC 3339 in UTC."""

    order_id: str
    order: Order
    submitted_at: str
    processed_at: str

    def to_document(self) -> dict[str, Any]:
        """Return the flat object that is stored in the table and sent to clients and subscribers."""
        return {
            "order_id": self.order_id,
            **vars(self.order),
            "submitted_at": self.submitted_at,
            "processed_at": self.processed_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the order that `to_document` wrote. The quantity may have any number type or be a string.

        Raises KeyError if a field is missing.
        """
        return cls(
            order_id=document["order_id"],
            order=Order(
                customer_id=document["customer_id"],
                product_id=document["product_id"],
                quantity=int(document["quantity"]),
                order_date=document["order_date"],
            ),
            submitted_at=document["submitted_at"],
            processed_at=document["processed_at"],
        )


@dataclass(frozen=True)
class Inserted:
    """Result of an insert: the order is stored, and its id was new."""


@dataclass(frozen=True)
class AlreadyExists:
    """Result of an insert: this order is already stored under the id."""

    order: Order


@dataclass(frozen=True)
class Rejected:
    """Result of an insert: the order is not stored. `reason` is the store's error code, `error` the exception."""

    reason: str
    error: Exception | None = None


InsertResult = Inserted | AlreadyExists | Rejected
"""Result of a conditional insert."""


def format_timestamp(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 in UTC, always with milliseconds.

    The fixed width makes the strings sort in time order, which the table's index by customer and submission time
    requires.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_timestamp(text: str) -> bool:
    """Return whether `text` is a timestamp in the format of `format_timestamp`."""
    if not _RFC3339_UTC.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
