"""The table of stored orders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.adapters.dynamodb import read_item
from orders.domain.order import ProcessedOrder
from orders_cli.errors import OperatorError

_INDEX = "by_customer"

Item = Mapping[str, Any]
"""An order in DynamoDB's notation."""


@dataclass(frozen=True)
class OrdersTable:
    dynamodb: Any
    table_name: str

    @property
    def table_id(self) -> str:
        """The id that DynamoDB gave this table: a UUID that only its account can read."""
        return str(self.dynamodb.describe_table(TableName=self.table_name)["Table"].get("TableId", ""))

    def recovery_days(self) -> int:
        """Return how many days back point-in-time recovery can restore this table; 0 if it is off.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html
        """
        backups = self.dynamodb.describe_continuous_backups(TableName=self.table_name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        is_on = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
        return int(recovery.get("RecoveryPeriodInDays", 35)) if is_on else 0

    def delete(self, order_id: str) -> None:
        """Delete an order, if it is still stored."""
        self.dynamodb.delete_item(TableName=self.table_name, Key={"order_id": {"S": order_id}})

    def find(self, order_id: str) -> ProcessedOrder | None:
        item = self.items([order_id]).get(order_id)
        return None if item is None else read_order(item)

    def items(self, order_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the items of at most a hundred ids, by id."""
        found: dict[str, dict[str, Any]] = {}
        keys = [{"order_id": {"S": order_id}} for order_id in dict.fromkeys(order_ids)]
        request: dict[str, Any] = {self.table_name: {"Keys": keys, "ConsistentRead": True}} if keys else {}
        while request:
            response = self.dynamodb.batch_get_item(RequestItems=request)
            found |= {item["order_id"]["S"]: item for item in response["Responses"].get(self.table_name, [])}
            request = response.get("UnprocessedKeys") or {}
        return found

    def all_items(self) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table_name, ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def items_of_customer(self, customer_id: str, since: str, until: str, page_size: int) -> Iterator[dict[str, Any]]:
        """Yield a customer's items, the last submitted first, read page by page; both moments are inclusive.

        The index follows the table within about a second.
        """
        values = {"customer": customer_id, "since": since, "until": until}
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            IndexName=_INDEX,
            KeyConditionExpression="customer_id = :customer AND submitted_at BETWEEN :since AND :until",
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
            ScanIndexForward=False,
            PaginationConfig={"PageSize": page_size},
        )
        return (item for page in pages for item in page["Items"])


def read_order(item: Item) -> ProcessedOrder:
    """Return the order of an item; raise OperatorError if it is damaged."""
    order = order_or_none(item)
    if order is None:
        raise OperatorError(
            f"The item of order {id_of(item)} is incomplete: something other than the processing function changed it. "
            "Inspect it in DynamoDB."
        )
    return order


def order_or_none(item: Item) -> ProcessedOrder | None:
    try:
        return read_item(item)
    except (KeyError, ValueError):
        return None


def id_of(item: Item) -> str:
    return str(item.get("order_id", {}).get("S"))
