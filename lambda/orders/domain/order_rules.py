"""Whether a JSON document is an order, by order.schema.json and nothing else."""

from typing import Any

from orders.domain.errors import OrderInvalidError
from orders.domain.order import Order
from orders.domain.order_schema import is_order


def validate_order(document: Any) -> Order:
    """Return the order that a parsed JSON document states, its quantity as an integer.

    Raises OrderInvalidError with all violations: one a place, sorted by pointer, each in the words
    of the schema's own descriptions, so that nothing of the document is repeated but its keys.
    """
    if not is_order(document):
        # Here and not above: a cold start that brings a sound order does not wait for jsonschema.
        from orders.domain.order_violations import find_violations

        raise OrderInvalidError(find_violations(document))
    return Order(
        customer_id=document["customer_id"],
        product_id=document["product_id"],
        quantity=int(document["quantity"]),
        order_date=document["order_date"],
    )
