"""Processing against a fake store: what is stored, what is reported, and that nothing is lost between."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orders.domain.errors import MessageVersionUnknownError, StoreUnavailableError
from orders.domain.insertion import AlreadyThere, Inserted, Insertion, Refused
from orders.domain.message import VERSION, write_message
from orders.domain.order import ProcessedOrder, SubmittedOrder
from orders.usecases.processing import Outcome, QueueMessage, Result, process_messages
from sample_orders import PROCESSED_AT, SAMPLE_ORDER, processed, submitted

NOW = datetime(2025, 4, 25, 10, 0, 1, tzinfo=UTC)


class FakeStore:
    def __init__(self, *stored: ProcessedOrder, refuses: str = "", fails: bool = False) -> None:
        self.stored = {order.order_id: order for order in stored}
        self.refuses = refuses
        self.fails = fails
        self.calls = 0

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, Insertion]:
        self.calls += 1
        if self.fails:
            raise StoreUnavailableError
        assert len({order.order_id for order in orders}) == len(orders), "the ids must be distinct"
        return {order.order_id: self._insert(order) for order in orders}

    def _insert(self, order: ProcessedOrder) -> Insertion:
        if order.order_id == self.refuses:
            return Refused("ThrottlingError")
        if order.order_id in self.stored:
            return AlreadyThere(self.stored[order.order_id].order)
        self.stored[order.order_id] = order
        return Inserted()


def message(message_id: str, order: SubmittedOrder | str) -> QueueMessage:
    return QueueMessage(message_id, order if isinstance(order, str) else write_message(order))


def results(store: FakeStore, *messages: QueueMessage) -> dict[str, Result]:
    return {outcome.message_id: outcome.result for outcome in outcomes(store, *messages)}


def outcomes(store: FakeStore, *messages: QueueMessage) -> list[Outcome]:
    return list(process_messages(messages, now=NOW, store=store))


def test_a_batch_of_new_orders_is_stored_in_one_call() -> None:
    store = FakeStore()
    keys = [str(number) for number in range(10)]

    found = results(store, *[message(f"m{key}", submitted(key)) for key in keys])

    assert found == {f"m{key}": Result.STORED for key in keys}
    assert store.stored == {processed(key).order_id: processed(key) for key in keys}
    assert store.calls == 1


def test_the_moment_of_processing_is_stored() -> None:
    store = FakeStore()

    results(store, message("m", submitted()))

    assert store.stored[submitted().order_id].processed_at == PROCESSED_AT


def test_a_message_delivered_again_is_a_duplicate_and_settled() -> None:
    [outcome] = outcomes(FakeStore(processed()), message("m", submitted()))

    assert (outcome.result, outcome.settled) == (Result.DUPLICATE, True)


def test_a_retried_submission_is_a_duplicate_though_its_time_and_request_differ() -> None:
    retry = replace(submitted(), submitted_at="2025-04-26T00:00:00.000Z", request_id="another")

    assert results(FakeStore(processed()), message("m", retry)) == {"m": Result.DUPLICATE}


def test_the_same_id_with_other_content_is_a_conflict_and_never_overwrites() -> None:
    store = FakeStore(processed())
    other = submitted(order=replace(SAMPLE_ORDER, quantity=2))

    [outcome] = outcomes(store, message("m", other))

    assert (outcome.result, outcome.settled) == (Result.CONFLICT, False)
    assert outcome.reason
    assert "other content" in outcome.reason
    assert store.stored == {processed().order_id: processed()}


def test_within_one_batch_the_first_of_an_id_is_stored_and_the_others_are_measured_against_it() -> None:
    store = FakeStore()
    other = submitted(order=replace(SAMPLE_ORDER, quantity=2))

    found = results(store, message("m1", submitted()), message("m2", submitted()), message("m3", other))

    assert found == {"m1": Result.STORED, "m2": Result.DUPLICATE, "m3": Result.CONFLICT}
    assert store.stored == {processed().order_id: processed()}


def test_a_repeat_within_one_batch_fails_with_the_first_where_the_store_refused_it() -> None:
    store = FakeStore(refuses=submitted().order_id)

    assert results(store, message("m1", submitted()), message("m2", submitted())) == {
        "m1": Result.FAILED,
        "m2": Result.FAILED,
    }


def test_one_refused_order_of_ten_fails_alone() -> None:
    store = FakeStore(refuses=submitted("3").order_id)

    found = results(store, *[message(f"m{key}", submitted(str(key))) for key in range(10)])

    assert [key for key, result in found.items() if result is Result.FAILED] == ["m3"]
    assert len(store.stored) == 9


def test_an_unreadable_message_fails_with_its_reason_and_its_neighbours_are_stored() -> None:
    store = FakeStore()

    first, *others = outcomes(store, message("bad", "poison"), message("m", submitted()))

    assert (first.result, first.submitted, first.reason) == (Result.FAILED, None, "the message is not JSON")
    assert [outcome.result for outcome in others] == [Result.STORED]


def test_a_batch_without_a_readable_message_never_calls_the_store() -> None:
    store = FakeStore(fails=True)

    assert results(store, message("bad", "poison")) == {"bad": Result.FAILED}
    assert store.calls == 0


def test_a_store_that_fails_as_a_whole_leaves_every_message_without_an_outcome() -> None:
    with pytest.raises(StoreUnavailableError):
        outcomes(FakeStore(fails=True), message("m", submitted()))


def test_every_message_has_exactly_one_outcome() -> None:
    messages = [
        message("a", submitted()),
        message("b", "poison"),
        message("c", submitted()),
        message("d", submitted("2")),
    ]

    assert sorted(outcome.message_id for outcome in outcomes(FakeStore(), *messages)) == ["a", "b", "c", "d"]


def test_an_order_of_a_version_that_is_not_read_waits_and_its_neighbours_are_stored() -> None:
    store = FakeStore()
    later = write_message(submitted("later")).replace(f'"version":{VERSION}', f'"version":{VERSION + 1}')

    found = {o.message_id: o for o in outcomes(store, message("m1", later), message("m2", submitted()))}

    assert (found["m1"].result, found["m1"].reason) == (Result.FAILED, MessageVersionUnknownError.REASON)
    assert found["m2"].result is Result.STORED
