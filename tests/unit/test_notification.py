"""Announcing processed orders: what is said, and that none is skipped."""

import json
from collections.abc import Iterable, Iterator

import pytest

from orders.domain.completion import Announcement, announce
from orders.domain.errors import TopicUnavailableError
from orders.domain.order import Order
from orders.usecases.notification import announce_orders
from sample_orders import PROCESSED_AT, SUBMITTED_AT, processed


class FakeTopic:
    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.published: list[Announcement] = []

    def publish(self, announcements: Iterable[Announcement]) -> Iterator[None]:
        for announcement in announcements:
            if len(self.published) == self.takes:
                raise TopicUnavailableError
            self.published.append(announcement)
            yield


def test_orders_are_announced_in_their_order() -> None:
    topic = FakeTopic(takes=3)
    orders = [processed(key) for key in "abc"]

    assert list(announce_orders(orders, topic=topic)) == orders
    assert topic.published == [announce(order) for order in orders]


def test_announcing_stops_at_the_first_order_that_the_topic_refuses() -> None:
    announced = []

    with pytest.raises(TopicUnavailableError):
        for order in announce_orders([processed(key) for key in "abc"], topic=FakeTopic(takes=2)):
            announced.append(order)
    assert announced == [processed("a"), processed("b")]


def test_an_announcement_is_text_for_a_person_and_json_for_a_machine() -> None:
    order_id = processed().order_id

    announcement = announce(processed())

    assert announcement.subject == f"Order {order_id} completed"
    assert announcement.text.splitlines() == [
        "This order has been received and stored.",
        "",
        f"Order:      {order_id}",
        "Customer:   001",
        "Product:    Banana",
        "Quantity:   1",
        "Order date: 2025-04-25",
        f"Submitted:  {SUBMITTED_AT}",
        f"Processed:  {PROCESSED_AT}",
    ]
    assert json.loads(announcement.document) == {
        "order_id": order_id,
        "customer_id": "001",
        "product_id": "Banana",
        "quantity": 1,
        "order_date": "2025-04-25",
        "submitted_at": SUBMITTED_AT,
        "processed_at": PROCESSED_AT,
    }
    assert announcement.attributes == {"customer_id": "001", "product_id": "Banana"}


def test_the_subject_fits_sns_whatever_the_order_holds() -> None:
    subject = announce(processed(order=Order("c" * 64, "p" * 128, 9999, "2025-04-25"))).subject

    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100
