"""Submit an order: validate a request body and queue its order."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from orders.domain.errors import CustomerMismatchError
from orders.domain.json_document import read_json_document
from orders.domain.message import write_message
from orders.domain.order import SubmittedOrder, format_timestamp
from orders.domain.order_id import RANDOM_BYTES, derived_order_id, random_order_id
from orders.domain.validation import OrderRules


class OrderQueue(Protocol):
    """Keeps submitted orders until they are processed."""

    def send(self, message: str) -> None:
        """Put one message on the queue; raises QueueUnavailableError unless the queue has confirmed it."""


def submit_order(
    body: bytes,
    *,
    customer_id: str | None,
    idempotency_key: str | None,
    request_id: str,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    rules: OrderRules,
    queue: OrderQueue,
) -> SubmittedOrder:
    """Read, validate and queue the order in a request body, and return it.

    With an idempotency key the order id is derived from the key and the order, so a retry gets the same id; without
    one, every call creates a new order. If the request's token has a `customer_id`, the order must have the same.
    Raises QueueUnavailableError if the order may be queued; DocumentUnreadableError, OrderInvalidError,
    CustomerMismatchError or IdempotencyKeyInvalidError if it is not.
    """
    order = rules.validate(read_json_document(body))
    if customer_id not in (None, order.customer_id):
        raise CustomerMismatchError
    if idempotency_key is None:
        order_id = random_order_id(random_bytes(RANDOM_BYTES))
    else:
        order_id = derived_order_id(order, idempotency_key)
    submitted = SubmittedOrder(order_id, order, format_timestamp(now), request_id)
    queue.send(write_message(submitted))
    return submitted
