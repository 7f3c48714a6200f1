"""Status against a fake store."""

import pytest

from orders.domain.errors import OrderNotFoundError
from orders.domain.order import ProcessedOrder
from orders.usecases.status import Pending, find_order
from sample_orders import processed


class FakeStore:
    def __init__(self, *stored: ProcessedOrder) -> None:
        self.stored = {order.order_id: order for order in stored}
        self.asked: list[str] = []

    def find(self, order_id: str) -> ProcessedOrder | None:
        self.asked.append(order_id)
        return self.stored.get(order_id)


def test_a_stored_order_is_found_by_its_id_in_either_case() -> None:
    store = FakeStore(processed())

    assert find_order(processed().order_id, store=store) == processed()
    assert find_order(processed().order_id.upper(), store=store) == processed()


def test_an_issued_id_that_is_not_stored_is_pending() -> None:
    assert find_order(processed().order_id, store=FakeStore()) == Pending(processed().order_id)


def test_an_id_that_was_never_issued_is_not_found_and_costs_no_read() -> None:
    store = FakeStore()

    with pytest.raises(OrderNotFoundError):
        find_order("00000000-0000-8000-8000-000000000000", store=store)
    assert store.asked == []
