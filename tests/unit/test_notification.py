"""Announcing processed orders: none is skipped, and none behind one that the topic refuses."""

from collections.abc import Iterable, Iterator

import pytest

from orders.domain.completion import Announcement, announce
from orders.domain.errors import TopicUnavailableError
from orders.usecases.notification import announce_orders
from sample_orders import processed


class FakeTopic:
    def __init__(self, takes: int, *, falls_silent: bool = False) -> None:
        self.takes = takes
        self.falls_silent = falls_silent
        self.published: list[Announcement] = []

    def publish(self, announcements: Iterable[Announcement]) -> Iterator[None]:
        for announcement in announcements:
            if self.falls_silent and len(self.published) == self.takes:
                return
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


def test_an_order_of_which_the_topic_says_nothing_does_not_pass_for_announced() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(announce_orders([processed(key) for key in "abc"], topic=FakeTopic(takes=2, falls_silent=True)))
