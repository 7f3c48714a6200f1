"""What can come of storing an order under an id that must be new."""

from dataclasses import dataclass

from orders.domain.order import Order


@dataclass(frozen=True)
class Inserted:
    """The order is stored, and was not before."""


@dataclass(frozen=True)
class AlreadyThere:
    """The order id was stored before, with this order."""

    order: Order


@dataclass(frozen=True)
class Refused:
    """The store did not take this order; `reason` is the store's own error code."""

    reason: str


Insertion = Inserted | AlreadyThere | Refused
