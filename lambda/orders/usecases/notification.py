"""Notification: stored orders are announced, each at least once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from orders.domain.completion import Announcement, announce
from orders.domain.order import ProcessedOrder


class CompletionTopic(Protocol):
    """Where completed orders are announced."""

    def publish(self, announcements: Iterable[Announcement]) -> Iterator[None]:
        """Publish in the given order, yielding once for each announcement that the topic took.

        Raises TopicUnavailableError at the first one that it did not take.
        """


def announce_orders(orders: Sequence[ProcessedOrder], *, topic: CompletionTopic) -> Iterator[ProcessedOrder]:
    """Announce `orders` in their order and yield each one that is announced.

    Stops with TopicUnavailableError at the first that is not: a stream is retried from there, so
    whatever is announced behind it is announced twice.
    """
    for order, _ in zip(orders, topic.publish(map(announce, orders)), strict=True):
        yield order
