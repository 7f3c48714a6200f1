"""Submission against a fake queue."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import (
    DocumentUnreadableError,
    IdempotencyKeyInvalidError,
    OrderInvalidError,
    QueueUnavailableError,
)
from orders.domain.order import SubmittedOrder
from orders.domain.order_id import derived_order_id, random_order_id
from orders.use_cases.submit_order import submit_order
from sample_orders import SAMPLE_BODY, SAMPLE_ORDER
from unit.hostile_strategies import damaged, json_texts, near_orders


class FakeQueue:
    def __init__(self, *, refuses: bool = False) -> None:
        self.sent: list[SubmittedOrder] = []
        self.refuses = refuses

    def send(self, submitted: SubmittedOrder) -> None:
        if self.refuses:
            raise QueueUnavailableError
        self.sent.append(submitted)


def submit(body: bytes, queue: FakeQueue, key: str | None = None, randomness: bytes = bytes(12)) -> SubmittedOrder:
    return submit_order(
        body,
        idempotency_key=key,
        request_id="request-1",
        now=datetime(2025, 4, 25, 10, tzinfo=UTC),
        random_bytes=lambda count: randomness[:count],
        rules=ORDER_RULES,
        queue=queue,
    )


def test_an_order_is_queued_under_a_random_id_with_time_and_request() -> None:
    queue = FakeQueue()

    submitted = submit(SAMPLE_BODY, queue, randomness=b"twelve bytes")

    assert submitted == SubmittedOrder(
        random_order_id(b"twelve bytes"), SAMPLE_ORDER, "2025-04-25T10:00:00.000Z", "request-1"
    )
    assert queue.sent == [submitted]


def test_an_order_with_a_key_is_queued_under_the_id_derived_from_both() -> None:
    queue = FakeQueue()

    assert submit(SAMPLE_BODY, queue, key="k").order_id == derived_order_id(SAMPLE_ORDER, "k")
    assert submit(SAMPLE_BODY, queue, key="k", randomness=b"other bytes!").order_id == queue.sent[0].order_id


@pytest.mark.parametrize(
    ("body", "key", "error"),
    [
        (b"{", None, DocumentUnreadableError),
        (b"{}", None, OrderInvalidError),
        (SAMPLE_BODY, "not visible", IdempotencyKeyInvalidError),
        (SAMPLE_BODY, "", IdempotencyKeyInvalidError),
    ],
)
def test_what_is_refused_is_never_queued(body: bytes, key: str | None, error: type[Exception]) -> None:
    queue = FakeQueue()

    with pytest.raises(error):
        submit(body, queue, key=key)
    assert queue.sent == []


def test_an_order_that_the_queue_refuses_is_not_accepted() -> None:
    with pytest.raises(QueueUnavailableError):
        submit(SAMPLE_BODY, FakeQueue(refuses=True))


def test_the_quantity_is_queued_as_a_number_however_it_was_written() -> None:
    queue = FakeQueue()
    body: Any = SAMPLE_BODY.replace(b'"1"', b"1")

    assert submit(body, queue, key="k") == submit(SAMPLE_BODY, queue, key="k")


@given(
    st.just(SAMPLE_BODY) | st.binary(max_size=100) | damaged(json_texts(near_orders())),
    st.none() | st.text(max_size=5) | st.just("k" * 256),
)
def test_any_body_and_key_are_queued_once_or_refused_for_a_reason_of_the_contract(body: bytes, key: str | None) -> None:
    queue = FakeQueue()

    try:
        submitted = submit(body, queue, key)
    except (DocumentUnreadableError, OrderInvalidError, IdempotencyKeyInvalidError):
        assert queue.sent == []
    else:
        assert queue.sent == [submitted]
