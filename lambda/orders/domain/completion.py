"""How a processed order is announced: to a person in words, to a machine as JSON."""

import json
from dataclasses import dataclass

from orders.domain.order import ProcessedOrder


@dataclass(frozen=True)
class Announcement:
    """One order's announcement.

    `subject` is ASCII without a line break and under 100 characters, the limit of SNS, and names the
    order; `text` is for a person, `document` for a machine; `attributes` are what a subscription's
    filter policy can match.
    """

    subject: str
    text: str
    document: str
    attributes: dict[str, str]


def announce(processed: ProcessedOrder) -> Announcement:
    """Return the announcement of a processed order."""
    order = processed.order
    rows = {
        "Order": processed.order_id,
        "Customer": order.customer_id,
        "Product": order.product_id,
        "Quantity": order.quantity,
        "Order date": order.order_date,
        "Submitted": _moment(processed.submitted_at),
        "Processed": _moment(processed.processed_at),
    }
    table = "\n".join(f"{name + ':':<12}{value}" for name, value in rows.items())
    return Announcement(
        subject=f"Order {processed.order_id} completed",
        text=f"This order has been received and stored.\n\n{table}\n",
        document=json.dumps(processed.to_document()),
        attributes={"customer_id": order.customer_id, "product_id": order.product_id},
    )


def _moment(timestamp: str) -> str:
    """Return a moment as `format_timestamp` writes it, to the second and in words that need no standard."""
    return f"{timestamp[:10]} {timestamp[11:19]} UTC"
