"""process_messages with a fake store: one outcome per message, and never an order lost or overwritten."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageVersionUnknownError, StoreUnavailableError
from orders.domain.message import VERSION, read_message, write_message
from orders.domain.order import AlreadyExists, Inserted, InsertResult, ProcessedOrder, Refused, SubmittedOrder
from orders.domain.validation import OrderRules
from orders.use_cases.process_messages import Outcome, Result, process_messages
from sample_orders import SAMPLE_ORDER, processed, submitted

STORED, DUPLICATE, CONFLICT, FAILED = Result.STORED, Result.DUPLICATE, Result.CONFLICT, Result.FAILED
FORGED = submitted(order=replace(SAMPLE_ORDER, quantity=2))


class FakeStore:
    def __init__(self, *stored: ProcessedOrder, refuses: str = "", raises: Exception | None = None) -> None:
        self.stored = {order.order_id: order for order in stored}
        self.refuses = refuses
        self.raises = raises
        self.calls = 0

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, InsertResult]:
        self.calls += 1
        if self.raises:
            raise self.raises
        assert len({order.order_id for order in orders}) == len(orders), "the ids must be distinct"
        return {order.order_id: self._insert(order) for order in orders}

    def _insert(self, order: ProcessedOrder) -> InsertResult:
        if order.order_id == self.refuses:
            return Refused("ThrottlingError")
        if order.order_id in self.stored:
            return AlreadyExists(self.stored[order.order_id].order)
        self.stored[order.order_id] = order
        return Inserted()


def process(store: FakeStore, *messages: SubmittedOrder | str) -> list[Outcome]:
    bodies = {f"m{n}": each if isinstance(each, str) else write_message(each) for n, each in enumerate(messages)}
    outcomes = process_messages(bodies, now=datetime(2025, 4, 25, 10, 0, 1, tzinfo=UTC), rules=ORDER_RULES, store=store)
    assert [outcome.message_id for outcome in outcomes] == list(bodies)
    assert all(outcome.stored == (outcome.result in (STORED, DUPLICATE)) for outcome in outcomes)
    return outcomes


def results(store: FakeStore, *messages: SubmittedOrder | str) -> list[Result]:
    return [outcome.result for outcome in process(store, *messages)]


def test_new_orders_are_stored_in_one_call_with_the_time_of_processing() -> None:
    store = FakeStore()

    assert results(store, *[submitted(str(n)) for n in range(10)]) == [STORED] * 10
    assert list(store.stored.values()) == [processed(str(n)) for n in range(10)]
    assert store.calls == 1


def test_a_retried_submission_is_a_duplicate_although_its_time_and_request_differ() -> None:
    retry = replace(submitted(), submitted_at="2025-04-26T00:00:00.000Z", request_id="another")

    assert results(FakeStore(processed()), submitted(), retry) == [DUPLICATE, DUPLICATE]


@pytest.mark.parametrize("stored", [[processed()], []], ids=["stored before", "in the same batch"])
def test_a_forged_message_is_a_conflict_and_never_overwrites(stored: list[ProcessedOrder]) -> None:
    store = FakeStore(*stored)

    *_, duplicate, conflict = process(store, submitted(), submitted(), FORGED)

    assert (duplicate.result, conflict.result) == (DUPLICATE, CONFLICT)
    assert "other content: the message is forged" in str(conflict.reason)
    assert store.stored == {processed().order_id: processed()}


def test_an_order_that_the_store_refuses_fails_alone_with_its_repeat() -> None:
    store = FakeStore(refuses=submitted("3").order_id)

    found = process(store, submitted("1"), submitted("3"), submitted("3"))

    assert [(each.result, each.reason) for each in found] == [(STORED, None), *[(FAILED, "ThrottlingError")] * 2]


def test_an_unreadable_message_and_a_later_version_fail_alone_with_their_reasons() -> None:
    later = write_message(submitted("later")).replace(f'"version":{VERSION}', f'"version":{VERSION + 1}')

    poison, unknown, good = process(FakeStore(), "poison", later, submitted())

    assert (poison.result, poison.submitted, poison.reason) == (FAILED, None, "the message is not JSON")
    assert (unknown.result, unknown.reason) == (FAILED, MessageVersionUnknownError.REASON)
    assert good.result is STORED


def test_a_batch_without_a_readable_message_never_calls_the_store() -> None:
    store = FakeStore()

    assert results(store, "poison") == [FAILED]
    assert store.calls == 0


@pytest.mark.parametrize("error", [StoreUnavailableError(), RuntimeError()])
def test_an_error_of_the_store_is_the_outcome_of_each_message_it_left_unstored(error: Exception) -> None:
    first, poison, second = process(FakeStore(raises=error), submitted("1"), "poison", submitted("2"))

    assert [(each.result, each.submitted, each.error) for each in (first, second)] == [
        (FAILED, submitted("1"), error),
        (FAILED, submitted("2"), error),
    ]
    assert (poison.reason, poison.error) == ("the message is not JSON", None)


def test_an_unexpected_error_while_a_message_is_read_fails_that_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError()

    def fail_on_the_first(body: str, rules: OrderRules) -> SubmittedOrder:
        if "poison" in body:
            raise error
        return read_message(body, rules)

    monkeypatch.setattr("orders.use_cases.process_messages.read_message", fail_on_the_first)
    first, second = process(FakeStore(), "poison", submitted())

    assert (first.result, first.error, second.result) == (FAILED, error, STORED)
