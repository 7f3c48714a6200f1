"""Bringing back orders that a copy of the table holds and the table itself does not.

The copy is what DynamoDB has restored to a point in time, beside the table. An order is only ever inserted, on the
condition that its id is new: what the table holds stays as it is. So this can be run twice, and killed at any moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

from orders.adapters.dynamodb import read_item
from orders.domain.order import AlreadyExists, Inserted, InsertResult, ProcessedOrder, Refused
from orders_cli.console import Advance
from orders_cli.queue import Pace

Item = Mapping[str, Any]
"""An order as DynamoDB writes it."""

Thing = TypeVar("Thing")

# What BatchGetItem takes at once.
PAGE_SIZE = 100


class ItemReader(Protocol):
    """The table that is to hold every order."""

    def items(self, order_ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the items of those of at most a hundred ids that are stored."""


class OrderStore(Protocol):
    """The same table, as what takes orders."""

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, InsertResult]:
        """Store each order whose id is new and tell for each id what came of it."""


@dataclass
class Comparison:
    """What the copy holds, against the table."""

    same: int = 0
    missing: int = 0
    different: list[str] = field(default_factory=list)
    """Ids of orders that the table holds otherwise."""
    broken: list[str] = field(default_factory=list)
    """Ids of missing orders that are not whole in the copy either."""

    @property
    def total(self) -> int:
        """How many orders the copy holds."""
        return self.same + self.missing + len(self.different) + len(self.broken)


@dataclass
class Restored:
    """What came of bringing back, in numbers of orders."""

    done: int = 0
    refused: int = 0
    meanwhile: int = 0
    """Stored by somebody else since they were found missing."""


def compare(copy: Iterable[Item], table: ItemReader, advance: Advance) -> Comparison:
    """Return what each order of the copy is in the table."""
    found = Comparison()
    for page in _pages(copy, PAGE_SIZE):
        stored = table.items([_id(item) for item in page])
        for item in page:
            if _id(item) not in stored:
                if _order(item) is None:
                    found.broken.append(_id(item))
                else:
                    found.missing += 1
            elif stored[_id(item)] == item:
                found.same += 1
            else:
                found.different.append(_id(item))
        advance(len(page))
    return found


def bring_back(copy: Iterable[Item], table: ItemReader, store: OrderStore, *, pace: Pace, advance: Advance) -> Restored:
    """Insert every whole order of the copy that the table does not hold, no faster than `pace`."""
    restored = Restored()
    for orders in _pages(_missing(copy, table), pace.step):
        pace.wait(len(orders))
        for insertion in store.insert(orders).values():
            match insertion:
                case Inserted():
                    restored.done += 1
                case AlreadyExists():
                    restored.meanwhile += 1
                case Refused():
                    restored.refused += 1
        advance(len(orders))
    return restored


def _missing(copy: Iterable[Item], table: ItemReader) -> Iterator[ProcessedOrder]:
    for page in _pages(copy, PAGE_SIZE):
        stored = table.items([_id(item) for item in page])
        for item in page:
            if _id(item) not in stored and (order := _order(item)) is not None:
                yield order


def _id(item: Item) -> str:
    return str(item["order_id"]["S"])


def _order(item: Item) -> ProcessedOrder | None:
    try:
        return read_item(item)
    except (KeyError, ValueError):
        return None


def _pages(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    iterator = iter(things)
    while page := list(islice(iterator, size)):
        yield page
