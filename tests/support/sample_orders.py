"""Orders that tests share."""

import json
from typing import Any

from orders.domain.order import Order, ProcessedOrder, SubmittedOrder
from orders.domain.order_id import derived_order_id
from support.repository.files import REPOSITORY

ORDER_SCHEMA = json.loads((REPOSITORY / "lambda" / "orders" / "order.schema.json").read_bytes())

# The sample of the contract, byte for byte.
SAMPLE_BODY = b'{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
SAMPLE_ORDER = Order("001", "Banana", 1, "2025-04-25")

SUBMITTED_AT = "2025-04-25T10:00:00.000Z"
PROCESSED_AT = "2025-04-25T10:00:01.000Z"


def order_document(**changes: Any) -> dict[str, Any]:
    """Return the sample order as a JSON object, with `changes`."""
    return {**json.loads(SAMPLE_BODY), **changes}


def submitted(key: str = "one", order: Order = SAMPLE_ORDER) -> SubmittedOrder:
    """Return a submitted order; equal keys give equal order ids."""
    return SubmittedOrder(derived_order_id(SAMPLE_ORDER, key), order, SUBMITTED_AT, f"request-{key}")


def processed(key: str = "one", order: Order = SAMPLE_ORDER) -> ProcessedOrder:
    """Return a processed order; equal keys give equal order ids."""
    return ProcessedOrder(derived_order_id(SAMPLE_ORDER, key), order, SUBMITTED_AT, PROCESSED_AT)
