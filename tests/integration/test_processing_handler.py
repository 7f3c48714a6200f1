"""The processing handler, over a client that answers as DynamoDB documents it.

Its true answers are seen on the emulator (tests/e2e); here it gives those that no emulator gives on
request. moto 5.2 cannot run an INSERT with parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fake_aws.events import item_of, sqs_event
from orders.domain.errors import StoreUnavailableError
from orders.domain.insertion import Inserted
from orders.usecases.processing import Outcome, QueueMessage, Result
from sample_orders import SAMPLE_ORDER, processed, submitted


class FakeDynamoDb:
    """Holds items by order id; `errors` maps an order id to the error code of its statement."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, str] = {}
        self.unread: set[str] = set()
        self.refuses_whole: Exception | None = None
        self.refuses_whole_with: set[str] = set()
        self.calls: list[str] = []
        self.inserted_at_once: list[int] = []
        self.answers_only: int | None = None

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("BatchExecuteStatement")
        items = [dict(zip(item_of(processed()), statement["Parameters"], strict=True)) for statement in Statements]
        if self.refuses_whole and (
            not self.refuses_whole_with or self.refuses_whole_with & {item["order_id"]["S"] for item in items}
        ):
            raise self.refuses_whole
        self.inserted_at_once.append(len(items))
        return {"Responses": [self._insert(item) for item in items][: self.answers_only]}

    def _insert(self, item: dict[str, Any]) -> dict[str, Any]:
        order_id = item["order_id"]["S"]
        if order_id in self.errors:
            return {"TableName": "orders", "Error": {"Code": self.errors[order_id], "Message": "secret"}}
        if order_id in self.items:
            return {"TableName": "orders", "Error": {"Code": "DuplicateItem", "Message": "secret"}}
        self.items[order_id] = item
        return {"TableName": "orders"}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("BatchGetItem")
        assert RequestItems["orders"]["ConsistentRead"] is True
        keys = [key["order_id"]["S"] for key in RequestItems["orders"]["Keys"]]
        read = [self.items[key] for key in keys if key not in self.unread]
        return {"Responses": {"orders": read}, "UnprocessedKeys": {}}


@pytest.fixture
def dynamodb() -> FakeDynamoDb:
    return FakeDynamoDb()


@pytest.fixture
def processing(
    import_handler: Callable[..., ModuleType],
    aws: None,
    monkeypatch: pytest.MonkeyPatch,
    dynamodb: FakeDynamoDb,
) -> ModuleType:
    module = import_handler("processing", ORDERS_TABLE_NAME="orders")
    monkeypatch.setattr(module._store, "_client", dynamodb)
    return module


def failures(*message_ids: str) -> dict[str, Any]:
    """The exact answer that Lambda's SQS mapping acts on; any other shape fails or deletes the whole batch."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret"}}, "BatchExecuteStatement")


def test_a_batch_of_new_orders_is_stored_in_one_round_trip_and_reports_no_failure(
    processing: ModuleType, dynamodb: FakeDynamoDb
) -> None:
    messages = {f"m{key}": submitted(str(key)) for key in range(10)}

    assert processing.handler(sqs_event(**messages), None) == failures()
    assert dynamodb.calls == ["BatchExecuteStatement"]
    assert dynamodb.items.keys() == {order.order_id for order in messages.values()}


def test_dynamodb_is_asked_for_25_orders_at_once_at_most(processing: ModuleType, dynamodb: FakeDynamoDb) -> None:
    orders = [processed(str(key)) for key in range(51)]

    assert processing._store.insert(orders) == {order.order_id: Inserted() for order in orders}
    assert dynamodb.inserted_at_once == [25, 25, 1]


def test_an_order_is_stored_under_the_attributes_of_the_contract(
    processing: ModuleType, dynamodb: FakeDynamoDb
) -> None:
    processing.handler(sqs_event(m=submitted()), None)

    [item] = dynamodb.items.values()
    assert item == item_of(processed()) | {"processed_at": item["processed_at"]}
    assert item["quantity"] == {"N": "1"}


def test_the_statement_inserts_and_never_overwrites(processing: ModuleType) -> None:
    assert processing._store._insert_statement == (
        "INSERT INTO \"orders\" VALUE {'order_id': ?, 'customer_id': ?, 'product_id': ?, 'quantity': ?, "
        "'order_date': ?, 'submitted_at': ?, 'processed_at': ?}"
    )


def test_a_duplicate_is_settled_after_one_look_at_what_is_stored(
    processing: ModuleType, dynamodb: FakeDynamoDb, caplog: pytest.LogCaptureFixture
) -> None:
    event = sqs_event(m=submitted())
    processing.handler(event, None)

    assert processing.handler(event, None) == failures()
    assert dynamodb.calls == ["BatchExecuteStatement", "BatchExecuteStatement", "BatchGetItem"]
    assert [record.message for record in caplog.records] == ["order_stored", "order_duplicate"]


def test_a_key_used_for_another_order_is_a_failure_that_says_why(
    processing: ModuleType, dynamodb: FakeDynamoDb, caplog: pytest.LogCaptureFixture
) -> None:
    processing.handler(sqs_event(m1=submitted()), None)
    stored = dict(dynamodb.items)
    other = submitted(order=replace(SAMPLE_ORDER, quantity=2))

    assert processing.handler(sqs_event(m2=other), None) == failures("m2")
    assert dynamodb.items == stored
    conflict = caplog.records[-1]
    assert (conflict.message, conflict.levelname) == ("order_conflict", "ERROR")
    assert conflict.__dict__["order_id"] == submitted().order_id
    assert "used for two orders" in conflict.__dict__["reason"]


def test_an_unreadable_message_fails_alone_and_its_reason_is_logged(
    processing: ModuleType, dynamodb: FakeDynamoDb, caplog: pytest.LogCaptureFixture
) -> None:
    assert processing.handler(sqs_event(m1=submitted(), bad="<poison>"), None) == failures("bad")
    assert len(dynamodb.items) == 1
    failed = caplog.records[0]
    assert (failed.message, failed.__dict__["message_id"], failed.__dict__["reason"]) == (
        "order_failed",
        "bad",
        "the message is not JSON",
    )
    assert failed.__dict__["receives"] == 1
    assert "<poison>" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize("code", ["ThrottlingError", "InternalServerError", "ValidationError", "AccessDenied"])
def test_one_order_of_ten_that_dynamodb_refuses_fails_alone(
    processing: ModuleType, dynamodb: FakeDynamoDb, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    messages = {f"m{key}": submitted(str(key)) for key in range(10)}
    dynamodb.errors[messages["m3"].order_id] = code

    assert processing.handler(sqs_event(**messages), None) == failures("m3")
    assert len(dynamodb.items) == 9
    [failed] = [record for record in caplog.records if record.message == "order_failed"]
    assert failed.__dict__["reason"] == code


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_a_request_refused_for_one_orders_sake_stores_its_neighbours_all_the_same(
    processing: ModuleType, dynamodb: FakeDynamoDb, code: str
) -> None:
    messages = {f"m{key}": submitted(str(key)) for key in range(3)}
    dynamodb.refuses_whole = client_error(code)
    dynamodb.refuses_whole_with = {messages["m1"].order_id}

    assert processing.handler(sqs_event(**messages), None) == failures("m1")
    assert dynamodb.items.keys() == {messages["m0"].order_id, messages["m2"].order_id}


def test_fewer_answers_than_orders_settle_none_of_them(processing: ModuleType, dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers_only = 1

    with pytest.raises(ValueError, match="shorter"):
        processing.handler(sqs_event(m1=submitted("1"), m2=submitted("2")), None)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (client_error("ThrottlingException"), "StoreUnavailableError < ClientError(ThrottlingException)"),
        (client_error("AccessDeniedException"), "StoreUnavailableError < ClientError(AccessDeniedException)"),
        (ReadTimeoutError(endpoint_url="https://secret"), "StoreUnavailableError < ReadTimeoutError"),
        (RuntimeError("secret"), "RuntimeError"),
    ],
)
def test_an_error_that_leaves_the_whole_batch_undone_is_the_functions_error(
    processing: ModuleType,
    dynamodb: FakeDynamoDb,
    error: Exception,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dynamodb.refuses_whole = error

    with pytest.raises((StoreUnavailableError, RuntimeError)):
        processing.handler(sqs_event(m1=submitted("1"), m2=submitted("2")), None)
    assert dynamodb.calls == ["BatchExecuteStatement"]
    assert [record.message for record in caplog.records] == ["request_failed", "order_failed", "order_failed"]
    assert {record.__dict__["error"] for record in caplog.records} == {name}
    assert "secret" not in str([vars(record) for record in caplog.records])


def test_each_order_of_a_batch_left_undone_has_its_own_event_with_its_ids(
    processing: ModuleType, dynamodb: FakeDynamoDb, caplog: pytest.LogCaptureFixture
) -> None:
    dynamodb.refuses_whole = client_error("AccessDeniedException")

    with pytest.raises(StoreUnavailableError):
        processing.handler(sqs_event(m1=submitted("1"), bad="<poison>"), None)

    [failed] = [vars(record) for record in caplog.records if getattr(record, "message_id", "") == "m1"]
    assert failed["message"] == "order_failed"
    assert failed["receives"] == 1
    assert (failed["order_id"], failed["request_id"]) == (submitted("1").order_id, submitted("1").request_id)
    # What was known before the store failed is told once, in its own words.
    [unreadable] = [vars(record) for record in caplog.records if getattr(record, "message_id", "") == "bad"]
    assert unreadable["reason"] == "the message is not JSON"


def test_a_duplicate_that_cannot_be_looked_at_stays_a_failure(processing: ModuleType, dynamodb: FakeDynamoDb) -> None:
    processing.handler(sqs_event(m=submitted()), None)
    dynamodb.unread = {submitted().order_id}

    assert processing.handler(sqs_event(m=submitted(), m2=submitted("2")), None) == failures("m")


def test_an_error_on_the_way_fails_only_the_messages_that_are_not_stored(
    processing: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def process_one(messages: Sequence[QueueMessage], **_: object) -> Iterator[Outcome]:
        yield Outcome(messages[0].message_id, Result.STORED, submitted("1"))
        raise RuntimeError

    monkeypatch.setattr(processing, "process_messages", process_one)

    answer = processing.handler(sqs_event(m1=submitted("1"), m2=submitted("2"), m3="<poison>"), None)

    assert answer == failures("m2", "m3")
    assert caplog.records[0].__dict__["messages"] == 2
    assert [(record.message, getattr(record, "message_id", None)) for record in caplog.records] == [
        ("request_failed", None),
        ("order_failed", "m2"),
        ("order_failed", "m3"),
        ("order_stored", "m1"),
    ]


def test_a_batch_that_failed_before_it_was_read_has_an_event_for_each_message_even_for_what_is_no_order(
    processing: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def process_none(messages: Sequence[QueueMessage], **_: object) -> Iterator[Outcome]:
        raise RuntimeError

    monkeypatch.setattr(processing, "process_messages", process_none)

    with pytest.raises(RuntimeError):
        processing.handler(sqs_event(bad="<poison>", m=submitted("1")), None)

    ids = [(event.get("message_id"), event.get("order_id")) for event in map(vars, caplog.records)]
    assert ids == [(None, None), ("bad", None), ("m", submitted("1").order_id)]
