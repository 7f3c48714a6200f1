"""The processing handler with a fake DynamoDB client.

moto 5.2 does not support INSERT with parameters, and no emulator can inject these errors.
"""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from orders.domain.errors import BatchFailedError
from orders.domain.message import read_message
from orders.domain.order import Inserted, SubmittedOrder
from orders.domain.validation import OrderRules
from support.sample_orders import SAMPLE_ORDER, processed, submitted
from support.stub_aws.events import item_of, sqs_event
from support.stub_aws.sqs import aws_error, failed_calls

Logged = Callable[..., list[tuple[Any, ...]]]


class FakeDynamoDb:
    """Holds items by order ID, and responds as DynamoDB documents."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, str | Exception] = {}  # by order ID: a statement's error code, or the request's error
        self.unread: set[str] = set()
        self.read_error: Exception | None = None
        self.responds_only: int | None = None
        self.calls: list[str] = []

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(f"insert {len(Statements)}")
        items = [dict(zip(item_of(processed()), statement["Parameters"], strict=True)) for statement in Statements]
        for item in items:
            if isinstance(error := self.errors.get(item["order_id"]["S"]), Exception):
                raise error
        return {"Responses": [self._insert(item) for item in items][: self.responds_only]}

    def _insert(self, item: dict[str, Any]) -> dict[str, Any]:
        order_id = item["order_id"]["S"]
        code = self.errors.get(order_id) or ("DuplicateItem" if order_id in self.items else None)
        if code:
            return {"TableName": "orders", "Error": {"Code": code, "Message": "secret"}}
        self.items[order_id] = item
        return {"TableName": "orders"}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("read")
        assert RequestItems["orders"]["ConsistentRead"] is True
        if self.read_error:
            raise self.read_error
        keys = [key["order_id"]["S"] for key in RequestItems["orders"]["Keys"]]
        read = [self.items[key] for key in keys if key not in self.unread]
        return {"Responses": {"orders": read}, "UnprocessedKeys": {}}


@pytest.fixture
def dynamodb() -> FakeDynamoDb:
    return FakeDynamoDb()


@pytest.fixture(scope="module")
def imported(import_handler: Callable[..., ModuleType]) -> ModuleType:
    return import_handler("processing", ORDERS_TABLE_NAME="orders")


@pytest.fixture
def processing(imported: ModuleType, monkeypatch: pytest.MonkeyPatch, dynamodb: FakeDynamoDb) -> ModuleType:
    monkeypatch.setattr(imported._store, "_client", dynamodb)
    return imported


def failures(*message_ids: str) -> dict[str, Any]:
    """Return the exact response that Lambda's SQS mapping expects; another one fails or deletes the whole batch."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def test_batch_is_stored_in_one_call_with_the_attributes_of_the_contract(
    processing: ModuleType, dynamodb: FakeDynamoDb, logged: Logged
) -> None:
    messages = {f"m{key}": submitted(str(key)) for key in range(10)}

    assert processing.handler(sqs_event(**messages), None) == failures()
    assert dynamodb.calls == ["insert 10"]
    assert dynamodb.items.keys() == {order.order_id for order in messages.values()}
    item = dynamodb.items[submitted("0").order_id]
    assert item == item_of(processed("0")) | {"processed_at": item["processed_at"]}
    assert logged("levelname", "message_id", "order_id", "request_id", "receives") == [
        ("order_stored", "INFO", message_id, order.order_id, order.request_id, 1)
        for message_id, order in messages.items()
    ]


def test_retry_is_a_duplicate_in_the_same_batch_and_in_a_later_one(
    processing: ModuleType, dynamodb: FakeDynamoDb, logged: Logged
) -> None:
    retry = replace(submitted(), submitted_at="2025-04-26T00:00:00.000Z", request_id="another")
    forged = submitted(order=replace(SAMPLE_ORDER, quantity=2))

    assert processing.handler(sqs_event(m1=submitted(), m2=retry, m3=forged), None) == failures("m3")
    assert processing.handler(sqs_event(m2=retry), None) == failures()
    assert [item["quantity"] for item in dynamodb.items.values()] == [{"N": "1"}]
    assert dynamodb.calls == ["insert 1", "insert 1", "read"]
    assert logged() == [("order_stored",), ("order_duplicate",), ("order_conflict",), ("order_duplicate",)]


def test_message_fails_alone_when_reading_it_raises_an_error(
    processing: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    def fail_on_poison(body: str, rules: OrderRules) -> SubmittedOrder:
        if "poison" in body:
            raise RuntimeError("secret")
        return read_message(body, rules)

    monkeypatch.setattr("orders.use_cases.process_messages.read_message", fail_on_poison)

    assert processing.handler(sqs_event(m1="poison", m2=submitted()), None) == failures("m1")
    assert logged("error", "receives") == [("order_failed", "RuntimeError", 1), ("order_stored", None, 1)]


def test_insert_sends_25_orders_per_call_and_never_overwrites(processing: ModuleType, dynamodb: FakeDynamoDb) -> None:
    orders = [processed(str(key)) for key in range(51)]

    assert processing._store.insert(orders) == {order.order_id: Inserted() for order in orders}
    assert dynamodb.calls == ["insert 25", "insert 25", "insert 1"]
    assert processing._store._insert_statement == (
        "INSERT INTO \"orders\" VALUE {'order_id': ?, 'customer_id': ?, 'product_id': ?, 'quantity': ?, "
        "'order_date': ?, 'submitted_at': ?, 'processed_at': ?}"
    )


@pytest.mark.parametrize(
    ("body", "expected"), [(submitted(), failures()), ("poison", failures("m"))], ids=["order", "poison"]
)
def test_message_is_processed_once_when_a_batch_has_it_twice(
    processing: ModuleType, dynamodb: FakeDynamoDb, logged: Logged, body: Any, expected: dict[str, Any]
) -> None:
    [record] = sqs_event(m=body)["Records"]

    assert processing.handler({"Records": [record, record]}, None) == expected
    assert len(logged()) == 1
    assert len(dynamodb.calls) == (0 if body == "poison" else 1), "an unreadable message needs no call"


def test_forged_and_unreadable_messages_fail_alone_with_logged_reasons(
    processing: ModuleType, dynamodb: FakeDynamoDb, logged: Logged
) -> None:
    processing.handler(sqs_event(m=submitted()), None)
    stored = dict(dynamodb.items)
    logged()
    event = sqs_event(m1=submitted(order=replace(SAMPLE_ORDER, quantity=2)), m2="secret", m3=submitted("3"))
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"

    assert processing.handler(event, None) == failures("m1", "m2")
    assert dynamodb.items.items() > stored.items()
    forged = "this order id is stored with other content: the message is forged"
    assert logged("levelname", "message_id", "order_id", "receives", "reason") == [
        ("order_conflict", "ERROR", "m1", submitted().order_id, 5, forged),
        ("order_failed", "ERROR", "m2", None, 1, "the message is not JSON"),
        ("order_stored", "INFO", "m3", submitted("3").order_id, 1, None),
    ]


# One invalid item makes DynamoDB reject the whole request.
@pytest.mark.parametrize(
    ("code", "is_of_request"),
    [("ThrottlingError", False), ("ValidationException", True), ("SerializationException", True)],
)
def test_order_fails_alone_with_its_repetition_when_dynamodb_rejects_it(
    processing: ModuleType, dynamodb: FakeDynamoDb, is_of_request: bool, code: str, logged: Logged
) -> None:
    messages = {f"m{key}": submitted(str(key)) for key in range(10)}
    dynamodb.errors[messages["m3"].order_id] = aws_error(code, message="secret") if is_of_request else code

    assert processing.handler(sqs_event(**messages, repeated=messages["m3"]), None) == failures("m3", "repeated")
    assert dynamodb.items.keys() == {order.order_id for order in messages.values()} - {messages["m3"].order_id}
    assert ("order_failed", code, 1) in logged("reason", "receives")


@pytest.mark.parametrize(("error", "name"), failed_calls("StoreUnavailableError"))
def test_function_fails_when_no_message_is_stored(
    processing: ModuleType, dynamodb: FakeDynamoDb, error: Exception, name: str, logged: Logged
) -> None:
    order = submitted("1")
    dynamodb.errors[order.order_id] = error

    with pytest.raises(BatchFailedError) as raised:
        processing.handler(sqs_event(m1=order, m2="secret"), None)
    assert dynamodb.calls == ["insert 1"]
    assert logged("message_id", "order_id", "request_id", "receives", "error", "reason", "messages") == [
        ("order_failed", "m1", order.order_id, order.request_id, 1, name, None, None),
        ("order_failed", "m2", None, None, 1, None, "the message is not JSON", None),
        ("request_failed", None, None, None, None, name, None, 2),
    ]
    # Lambda logs the text of a raised error, and may log the texts of its causes.
    assert str(raised.value) == "none of 2 messages was stored; see order_failed"
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_function_fails_when_dynamodb_returns_too_few_responses(processing: ModuleType, dynamodb: FakeDynamoDb) -> None:
    dynamodb.responds_only = 1

    with pytest.raises(BatchFailedError):
        processing.handler(sqs_event(m1=submitted("1"), m2=submitted("2")), None)


@pytest.mark.parametrize("error", [None, aws_error("AccessDeniedException", message="secret"), RuntimeError("secret")])
def test_duplicate_fails_alone_when_it_cannot_be_read(
    processing: ModuleType, dynamodb: FakeDynamoDb, error: Exception | None, logged: Logged
) -> None:
    processing.handler(sqs_event(m=submitted()), None)
    dynamodb.unread, dynamodb.read_error = {submitted().order_id}, error
    logged()

    assert processing.handler(sqs_event(m=submitted(), m2=submitted("2")), None) == failures("m")
    [(name, reason, *_), stored] = logged("reason", "receives")
    assert (name, reason, stored[0]) == ("order_failed", None if error else "DuplicateItem", "order_stored")
