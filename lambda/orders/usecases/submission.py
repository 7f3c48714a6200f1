"""Submission: a request body becomes an order on the queue."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from orders.domain.json_document import read_json_document
from orders.domain.order import SubmittedOrder
from orders.domain.order_id import RANDOM_BYTES, derived_order_id, random_order_id
from orders.domain.order_rules import validate_order
from orders.domain.timestamp import format_timestamp


class OrderQueue(Protocol):
    """Where submitted orders wait to be processed."""

    def send(self, submitted: SubmittedOrder) -> None:
        """Put one order on the queue; raises QueueUnavailableError unless the queue has confirmed it."""


def submit_order(
    body: bytes,
    *,
    idempotency_key: str | None,
    request_id: str,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    queue: OrderQueue,
) -> SubmittedOrder:
    """Read, check and queue the order that a request body states, and return it.

    With an idempotency key the order id is derived from customer and key, so that a retry is the same
    order; without one every call is a new order. Raises DocumentUnreadableError, OrderInvalidError,
    IdempotencyKeyInvalidError, on any of which nothing was accepted; or QueueUnavailableError.
    """
    order = validate_order(read_json_document(body))
    if idempotency_key is None:
        order_id = random_order_id(random_bytes(RANDOM_BYTES))
    else:
        order_id = derived_order_id(order.customer_id, idempotency_key)
    submitted = SubmittedOrder(order_id, order, format_timestamp(now), request_id)
    queue.send(submitted)
    return submitted
