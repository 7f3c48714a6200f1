"""Bringing back what the table has lost: only what is missing, nothing changed, safe to run twice."""

from collections.abc import Mapping, Sequence

from fake_aws.events import item_of
from orders.domain.order import AlreadyExists, Inserted, InsertResult, ProcessedOrder, Refused
from orders_cli.queue import Pace
from orders_cli.restore import Comparison, Item, Restored, bring_back, compare
from sample_orders import processed


class FakeTable:
    """A table of orders; `arriving` come in by another way as soon as it has been read once."""

    def __init__(self, *items: Item, refuses: str = "", arriving: Sequence[Item] = ()) -> None:
        self.stored = {item["order_id"]["S"]: item for item in items}
        self.refuses = refuses
        self.arriving = arriving
        self.batches: list[int] = []

    def items(self, order_ids: Sequence[str]) -> Mapping[str, Item]:
        assert len(order_ids) <= 100
        found = {order_id: self.stored[order_id] for order_id in order_ids if order_id in self.stored}
        self.stored |= {item["order_id"]["S"]: item for item in self.arriving}
        return found

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, InsertResult]:
        self.batches.append(len(orders))
        return {order.order_id: self._insert(order) for order in orders}

    def _insert(self, order: ProcessedOrder) -> InsertResult:
        if order.order_id == self.refuses:
            return Refused("ThrottlingError")
        if order.order_id in self.stored:
            return AlreadyExists(order.order)
        self.stored[order.order_id] = item_of(order)
        return Inserted()


COPY = [item_of(processed(str(number))) for number in range(250)]


def restored(copy: Sequence[Item], table: FakeTable) -> Restored:
    return bring_back(copy, table, table, pace=Pace(None), advance=lambda number: None)


def compared(copy: Sequence[Item], table: FakeTable) -> Comparison:
    return compare(copy, table, lambda number: None)


def test_every_order_of_the_copy_is_the_same_missing_different_or_broken() -> None:
    changed = {**COPY[1], "quantity": {"N": "7"}}
    broken = {name: value for name, value in COPY[2].items() if name != "product_id"}
    found = compared([COPY[0], COPY[1], broken, COPY[3]], FakeTable(COPY[0], changed))
    assert found == Comparison(1, 1, [COPY[1]["order_id"]["S"]], [broken["order_id"]["S"]])
    assert found.total == 4


def test_what_is_missing_comes_back_as_it_was_in_every_field() -> None:
    table = FakeTable(*COPY[:100])
    assert restored(COPY, table) == Restored(done=150)
    assert list(table.stored.values()) == COPY
    assert max(table.batches) == 10


def test_what_the_table_holds_stays_as_it_is() -> None:
    changed = {**COPY[0], "quantity": {"N": "7"}}
    table = FakeTable(changed)
    assert restored(COPY[:2], table) == Restored(done=1)
    assert table.stored[COPY[0]["order_id"]["S"]] == changed


def test_run_again_there_is_nothing_left_to_do() -> None:
    table = FakeTable()
    restored(COPY, table)
    assert restored(COPY, table) == Restored()
    assert compared(COPY, table) == Comparison(same=250)


def test_an_order_that_comes_by_another_way_meanwhile_is_left_to_it() -> None:
    assert restored(COPY[:3], FakeTable(arriving=COPY[:1])) == Restored(done=2, meanwhile=1)


def test_what_the_table_refuses_is_counted_and_its_neighbours_come_back() -> None:
    assert restored(COPY[:3], FakeTable(refuses=COPY[1]["order_id"]["S"])) == Restored(done=2, refused=1)


def test_what_is_not_whole_in_the_copy_is_not_brought_back() -> None:
    broken = {name: value for name, value in COPY[0].items() if name != "product_id"}
    table = FakeTable()
    assert restored([broken, COPY[1]], table) == Restored(done=1)
    assert list(table.stored.values()) == [COPY[1]]


def test_no_more_come_back_in_a_second_than_asked_for() -> None:
    slept: list[float] = []
    table = FakeTable()
    bring_back(COPY[:8], table, table, pace=Pace(4, clock=lambda: 0.0, sleep=slept.append), advance=lambda number: None)
    assert table.batches == [4, 4]
    assert slept == [1.0]
