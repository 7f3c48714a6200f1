"""Status: what became of an order."""

from dataclasses import dataclass
from typing import Protocol

from orders.domain.errors import OrderNotFoundError
from orders.domain.order import ProcessedOrder
from orders.domain.order_id import parse_order_id


@dataclass(frozen=True)
class Pending:
    """The order was accepted, or could have been, and is not stored: it waits in a queue."""

    order_id: str


class OrderLookup(Protocol):
    """Where processed orders are found."""

    def find(self, order_id: str) -> ProcessedOrder | None:
        """Return the processed order of this id, or None; raises StoreUnavailableError."""


def find_order(order_id: str, *, store: OrderLookup) -> ProcessedOrder | Pending:
    """Return the processed order of an id as a client wrote it, or that it is pending.

    Raises OrderNotFoundError for an id that this system never issued, without asking the store, and
    StoreUnavailableError.
    """
    canonical = parse_order_id(order_id)
    if canonical is None:
        raise OrderNotFoundError
    return store.find(canonical) or Pending(canonical)
