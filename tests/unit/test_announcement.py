"""The announcement of an order has text for people and JSON for programs, within the limits of SNS."""

import json

import pytest

from orders.adapters.messaging import _entry
from orders.domain.announcement import announce
from orders.domain.order import Order, ProcessedOrder
from support.sample_orders import PROCESSED_AT, SUBMITTED_AT, processed

LONGEST = processed(order=Order("c" * 64, "p" * 128, 9999, "9999-12-31"))
ODDEST = processed(order=Order("0.", "._- -_.", 1, "0001-01-01"))


@pytest.mark.parametrize("order", [processed(), LONGEST, ODDEST])
def test_announcement_has_the_complete_order_as_text_and_json(order: ProcessedOrder) -> None:
    announcement = announce(order)

    assert announcement.text.splitlines() == [
        "This order has been received and stored.",
        "",
        f"Order:      {order.order_id}",
        f"Customer:   {order.order.customer_id}",
        f"Product:    {order.order.product_id}",
        f"Quantity:   {order.order.quantity}",
        f"Order date: {order.order.order_date}",
        "Submitted:  2025-04-25 10:00:00 UTC",
        "Processed:  2025-04-25 10:00:01 UTC",
    ]
    assert json.loads(announcement.document) == {
        "order_id": order.order_id,
        **vars(order.order),
        "submitted_at": SUBMITTED_AT,
        "processed_at": PROCESSED_AT,
    }
    assert ProcessedOrder.from_document(json.loads(announcement.document)) == order
    assert announcement.attributes == {"customer_id": order.order.customer_id, "product_id": order.order.product_id}
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    assert announcement.subject == f"Order {order.order_id} completed"
    assert len(announcement.subject) < 100


def test_ten_of_the_longest_announcements_fit_in_one_request() -> None:
    entries = [_entry(position, announce(LONGEST)) for position in range(10)]

    # https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
    assert len(json.dumps(entries).encode()) < 256 * 1024
