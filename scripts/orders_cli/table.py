"""The table of stored orders, as an operator reads it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orders.adapters.dynamodb import read_item
from orders.domain.order import ProcessedOrder
from orders_cli.errors import OperatorError

_INDEX = "by_customer"


class OrdersTable:
    """The orders of one table."""

    def __init__(self, dynamodb: Any, table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name

    def find(self, order_id: str) -> ProcessedOrder | None:
        """Return the stored order of this id, or None; what was stored a moment ago is seen."""
        item = self.item(order_id)
        return None if item is None else _order(item)

    def item(self, order_id: str) -> dict[str, Any] | None:
        """Return an order's item as DynamoDB writes it, or None."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key={"order_id": {"S": order_id}}, ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def stored(self, order_ids: Sequence[str]) -> set[str]:
        """Return those of at most a hundred ids whose orders are stored."""
        return set(self._batch(order_ids, ProjectionExpression="order_id"))

    def items(self, order_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the items of those of at most a hundred ids that are stored, as DynamoDB writes them, by id."""
        return self._batch(order_ids)

    def all_items(self) -> Iterator[dict[str, Any]]:
        """Yield every item, as DynamoDB writes it, read page by page as they are asked for."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table_name, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def of_customer(
        self,
        customer_id: str,
        *,
        since: str | None,
        until: str | None,
        oldest_first: bool,
        page_size: int,
        on_damaged: Callable[[OperatorError], None],
    ) -> Iterator[ProcessedOrder]:
        """Yield a customer's orders by the time they were submitted, read page by page as they are asked for.

        `since` and `until` are moments as the table writes them, both included. The index follows the table within
        about a second. An item that is no whole order holds back none of its neighbours: it is handed to `on_damaged`.
        """
        condition, values = "customer_id = :customer", {":customer": {"S": customer_id}}
        # A key takes one condition: where one end is open, its first or last possible moment closes it.
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
        )
        for page in pages:
            for item in page["Items"]:
                try:
                    yield _order(item)
                except OperatorError as damaged:
                    on_damaged(damaged)

    def _batch(self, order_ids: Sequence[str], **more: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        request: dict[str, Any] = {
            self._table_name: {
                "Keys": [{"order_id": {"S": order_id}} for order_id in dict.fromkeys(order_ids)],
                "ConsistentRead": True,
                **more,
            }
        }
        while request:
            answer = self._dynamodb.batch_get_item(RequestItems=request)
            found |= {item["order_id"]["S"]: item for item in answer["Responses"].get(self._table_name, [])}
            request = answer.get("UnprocessedKeys") or {}
        return found


def _order(item: dict[str, Any]) -> ProcessedOrder:
    try:
        return read_item(item)
    except (KeyError, ValueError) as error:
        order_id = item.get("order_id", {}).get("S")
        raise OperatorError(
            f"The item of order {order_id} is not whole: something other than the processing function has changed it. "
            "Look at it in DynamoDB."
        ) from error
