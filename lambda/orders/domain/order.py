"""An order at each station of its way: asked for, submitted, processed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Order:
    """What a customer asks for, as order.schema.json admits it.

    `quantity` is a whole number of pieces, `order_date` a calendar date as YYYY-MM-DD.
    """

    customer_id: str
    product_id: str
    quantity: int
    order_date: str


@dataclass(frozen=True)
class SubmittedOrder:
    """An order under its id, as it travels through the queue.

    `submitted_at` is RFC 3339 in UTC; `request_id` is API Gateway's id of the request that brought it.
    """

    order_id: str
    order: Order
    submitted_at: str
    request_id: str


@dataclass(frozen=True)
class ProcessedOrder:
    """An order as the table holds it; both times are RFC 3339 in UTC."""

    order_id: str
    order: Order
    submitted_at: str
    processed_at: str

    def to_document(self) -> dict[str, Any]:
        """Return the one flat object that the table, clients and subscribers see."""
        return {
            "order_id": self.order_id,
            **vars(self.order),
            "submitted_at": self.submitted_at,
            "processed_at": self.processed_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return what `to_document` wrote; a quantity may be of any number type.

        Raises KeyError where a field is missing.
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
