"""The announcement of a processed order: text for a person, JSON for a program."""

import json
from dataclasses import dataclass

from orders.domain.order import ProcessedOrder


@dataclass(frozen=True)
class Announcement:
    """One order's announcement.

    `subject` is one line of fewer than 100 ASCII characters, the limit of SNS. `text` is for a person, `document` for a
    program. Filter policies of subscriptions match `attributes`.
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
        "Submitted": _readable(processed.submitted_at),
        "Processed": _readable(processed.processed_at),
    }
    table = "\n".join(f"{name + ':':<12}{value}" for name, value in rows.items())
    return Announcement(
        subject=f"Order {processed.order_id} completed",
        text=f"This order has been received and stored.\n\n{table}\n",
        document=json.dumps(processed.to_document()),
        attributes={"customer_id": order.customer_id, "product_id": order.product_id},
    )


def _readable(timestamp: str) -> str:
    return f"{timestamp[:10]} {timestamp[11:19]} UTC"
