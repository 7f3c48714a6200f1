"""The table of processed orders, on Amazon DynamoDB."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.domain.errors import StoreUnavailableError
from orders.domain.order import AlreadyExists, Inserted, InsertResult, ProcessedOrder, Rejected

_BATCH_SIZE = 25  # The limit of BatchExecuteStatement. The event source mapping delivers at most 10 messages.

# One invalid item makes DynamoDB reject the whole request with these codes.
_INVALID_ITEM_CODES = frozenset({"ValidationException", "SerializationException"})

_DUPLICATE = Rejected("DuplicateItem")

# The attributes of an order's item and their DynamoDB types.
_FIELDS = {
    "order_id": "S",
    "customer_id": "S",
    "product_id": "S",
    "quantity": "N",
    "order_date": "S",
    "submitted_at": "S",
    "processed_at": "S",
}


class DynamoDbOrderTable:
    """Stores processed orders in one DynamoDB table, one item per order id."""

    def __init__(self, client: Any, table_name: str) -> None:
        self._client = client
        self._table_name = table_name
        fields = ", ".join(f"'{name}': ?" for name in _FIELDS)
        # PartiQL's INSERT never overwrites: it fails with DuplicateItem if the key exists. One round trip
        # stores a whole batch, and each statement succeeds or fails independently.
        self._insert_statement = f'INSERT INTO "{table_name}" VALUE {{{fields}}}'

    def find(self, order_id: str) -> ProcessedOrder | None:
        """Return the processed order with this id, or None; raises StoreUnavailableError.

        The read is consistent: an order that was once returned as processed is never reported as pending afterwards.
        """
        try:
            response = self._client.get_item(
                TableName=self._table_name, Key={"order_id": {"S": order_id}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailableError from error
        return read_item(response["Item"]) if "Item" in response else None

    def insert(self, orders: Sequence[ProcessedOrder]) -> Mapping[str, InsertResult]:
        """Store each order whose id is new and return the result for each id. Never overwrites.

        One call stores up to 25 orders; a second call reads the stored orders whose ids already existed. Raises
        StoreUnavailableError if DynamoDB rejected a whole call or did not respond.
        """
        results: dict[str, InsertResult] = {}
        try:
            for start in range(0, len(orders), _BATCH_SIZE):
                results |= self._insert_batch(orders[start : start + _BATCH_SIZE])
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailableError from error
        existing = [order_id for order_id, result in results.items() if result == _DUPLICATE]
        try:
            for item in self._read_batch(existing):
                stored = read_item(item)
                results[stored.order_id] = AlreadyExists(stored.order)
        except Exception as error:  # The inserts above succeeded, so a failed read must not raise.
            results |= dict.fromkeys(existing, Rejected(_DUPLICATE.reason, error))
        return results

    def _insert_batch(self, orders: Sequence[ProcessedOrder]) -> dict[str, InsertResult]:
        statements = [{"Statement": self._insert_statement, "Parameters": _parameters(order)} for order in orders]
        try:
            responses = self._client.batch_execute_statement(Statements=statements)["Responses"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _INVALID_ITEM_CODES:
                raise
            if len(orders) == 1:
                return {orders[0].order_id: Rejected(code)}
            # One invalid order must not block the others: insert each individually.
            return {key: value for order in orders for key, value in self._insert_batch([order]).items()}
        return {
            order.order_id: Rejected(response["Error"]["Code"]) if "Error" in response else Inserted()
            for order, response in zip(orders, responses, strict=True)
        }

    def _read_batch(self, order_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        if not order_ids:
            return
        # DynamoDB may leave a key unread. Its result stays Rejected, and the queue delivers the message again.
        response = self._client.batch_get_item(
            RequestItems={
                self._table_name: {
                    "Keys": [{"order_id": {"S": order_id}} for order_id in order_ids],
                    "ConsistentRead": True,
                }
            }
        )
        yield from response["Responses"].get(self._table_name, [])


def read_item(item: Mapping[str, Mapping[str, Any]]) -> ProcessedOrder:
    """Return the processed order in an item of the table; raises KeyError if an attribute is missing."""
    return ProcessedOrder.from_document({name: item[name][kind] for name, kind in _FIELDS.items()})


def _parameters(order: ProcessedOrder) -> list[dict[str, str]]:
    document = order.to_document()
    return [{kind: str(document[name])} for name, kind in _FIELDS.items()]
