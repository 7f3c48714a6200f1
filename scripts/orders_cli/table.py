"""The table of stored orders, and the restore of lost ones from a copy of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from orders.adapters.dynamodb import DynamoDbOrderTable, read_item
from orders.domain.order import AlreadyExists, Inserted, ProcessedOrder, Refused
from orders_cli.console import Advance
from orders_cli.errors import OperatorError
from orders_cli.queue import Pace

_INDEX = "by_customer"

# BatchGetItem takes at most so many.
PAGE_SIZE = 100

Item = Mapping[str, Any]
"""An order in DynamoDB's notation."""

Thing = TypeVar("Thing")


class OrdersTable:
    def __init__(self, dynamodb: Any, table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name

    @property
    def table_id(self) -> str:
        """The id that DynamoDB gave this table: a UUID that only its account can read."""
        return str(self._dynamodb.describe_table(TableName=self._table_name)["Table"].get("TableId", ""))

    def find(self, order_id: str) -> ProcessedOrder | None:
        item = self.item(order_id)
        return None if item is None else _order(item)

    def item(self, order_id: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key={"order_id": {"S": order_id}}, ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def orders(self, order_ids: Sequence[str]) -> dict[str, ProcessedOrder | None]:
        """Return the stored orders of at most a hundred ids, by id; None for an item that is not an order."""
        return {order_id: _order_or_none(item) for order_id, item in self.items(order_ids).items()}

    def items(self, order_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        keys = [{"order_id": {"S": order_id}} for order_id in dict.fromkeys(order_ids)]
        request: dict[str, Any] = {self._table_name: {"Keys": keys, "ConsistentRead": True}} if keys else {}
        while request:
            answer = self._dynamodb.batch_get_item(RequestItems=request)
            found |= {item["order_id"]["S"]: item for item in answer["Responses"].get(self._table_name, [])}
            request = answer.get("UnprocessedKeys") or {}
        return found

    def all_items(self) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table_name, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def of_customer(
        self,
        customer_id: str,
        *,
        since: str | None,
        until: str | None,
        after: str | None,
        oldest_first: bool,
        page_size: int,
        on_damaged: Callable[[OperatorError], None],
    ) -> Iterator[ProcessedOrder]:
        """Yield a customer's orders by the time they were submitted, read page by page.

        `since` and `until` are inclusive; `after` is the id of the last order of the page before. The index follows the
        table within about a second. A damaged item is passed to `on_damaged`.
        """
        condition, values = "customer_id = :customer", {":customer": {"S": customer_id}}
        # A key takes one condition, so an open end gets its first or last possible value.
        if since or until:
            condition += " AND submitted_at BETWEEN :since AND :until"
            values |= {":since": {"S": since or "0"}, ":until": {"S": until or "9999"}}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            IndexName=_INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=oldest_first,
            PaginationConfig={"PageSize": page_size},
            **({"ExclusiveStartKey": self._index_key(after, customer_id)} if after else {}),
        )
        for page in pages:
            for item in page["Items"]:
                try:
                    yield _order(item)
                except OperatorError as damaged:
                    on_damaged(damaged)

    def _index_key(self, order_id: str, customer_id: str) -> dict[str, Any]:
        item = self.item(order_id)
        if item is None or item.get("customer_id", {}).get("S") != customer_id:
            raise OperatorError(f"The customer has no stored order {order_id}. Start again without --after.")
        return {name: item[name] for name in ("order_id", "customer_id", "submitted_at")}


def _order(item: Item) -> ProcessedOrder:
    order = _order_or_none(item)
    if order is None:
        raise OperatorError(
            f"The item of order {_id(item)} is incomplete: something other than the processing function changed it. "
            "Inspect it in DynamoDB."
        )
    return order


def _order_or_none(item: Item) -> ProcessedOrder | None:
    try:
        return read_item(item)
    except (KeyError, ValueError):
        return None


def _id(item: Item) -> str:
    return str(item.get("order_id", {}).get("S"))


@dataclass
class Comparison:
    same: int = 0
    missing: int = 0
    different: list[str] = field(default_factory=list)
    """Ids of orders that the table holds with other content."""
    broken: list[str] = field(default_factory=list)
    """Ids of missing orders that are incomplete in the copy too."""

    @property
    def total(self) -> int:
        return self.same + self.missing + len(self.different) + len(self.broken)


@dataclass
class Restored:
    done: int = 0
    refused: int = 0
    meanwhile: int = 0
    """Stored by someone else since the comparison."""


def compare(copy: Iterable[Item], table: OrdersTable, advance: Advance) -> Comparison:
    """Compare each order of the copy with the table."""
    found = Comparison()
    for page in _pages(copy, PAGE_SIZE):
        stored = table.items([_id(item) for item in page])
        for item in page:
            if _id(item) not in stored:
                if _order_or_none(item) is None:
                    found.broken.append(_id(item))
                else:
                    found.missing += 1
            elif stored[_id(item)] == item:
                found.same += 1
            else:
                found.different.append(_id(item))
        advance(len(page))
    return found


def restore_missing(
    copy: Iterable[Item],
    table: OrdersTable,
    store: DynamoDbOrderTable,
    restored: Restored,
    *,
    pace: Pace,
    advance: Advance,
) -> None:
    """Insert every complete order of the copy whose id the table does not hold; `restored` is kept up to date.

    An insert never overwrites, so this can be interrupted and run again.
    """
    for orders in _pages(_missing(copy, table), pace.step):
        pace.wait(len(orders))
        for result in store.insert(orders).values():
            match result:
                case Inserted():
                    restored.done += 1
                case AlreadyExists():
                    restored.meanwhile += 1
                case Refused():
                    restored.refused += 1
        advance(len(orders))


def _missing(copy: Iterable[Item], table: OrdersTable) -> Iterator[ProcessedOrder]:
    for page in _pages(copy, PAGE_SIZE):
        stored = table.items([_id(item) for item in page])
        for item in page:
            if _id(item) not in stored and (order := _order_or_none(item)) is not None:
                yield order


def _pages(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    iterator = iter(things)
    while page := list(islice(iterator, size)):
        yield page
