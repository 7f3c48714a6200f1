"""The status handler on moto: each response of GET /orders/{order_id}."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from support.sample_orders import processed
from support.stub_aws.events import body_of, http_event, item_of
from support.stub_aws.sqs import failed_calls

Logged = Callable[..., list[tuple[Any, ...]]]

ORDER_ID = processed().order_id


@pytest.fixture(scope="module")
def imported(import_handler: Callable[..., ModuleType]) -> ModuleType:
    boto3.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return import_handler("status", ORDERS_TABLE_NAME="orders")


@pytest.fixture
def status(imported: ModuleType) -> Iterator[ModuleType]:
    yield imported
    boto3.client("dynamodb").delete_item(TableName="orders", Key={"order_id": {"S": ORDER_ID}})


def store_order() -> None:
    boto3.client("dynamodb").put_item(TableName="orders", Item=item_of(processed()))


@pytest.mark.parametrize("spelling", [ORDER_ID, ORDER_ID.upper()])
def test_stored_order_is_read_consistently_and_returned_as_processed(
    status: ModuleType, spelling: str, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    store_order()
    get_item = Mock(wraps=status._store._client.get_item)
    monkeypatch.setattr(status._store._client, "get_item", get_item)

    response = status.handler(http_event(order_id=spelling), None)

    assert get_item.call_args.kwargs["ConsistentRead"] is True
    assert response["statusCode"] == 200
    assert body_of(response) == {**processed().to_document(), "status": "PROCESSED"}
    assert "Retry-After" not in response["headers"]
    assert logged("request_id", "order_id") == [("order_found", "request-1", ORDER_ID)]


def test_issued_id_is_pending_when_it_is_not_stored(status: ModuleType, logged: Logged) -> None:
    response = status.handler(http_event(order_id=ORDER_ID), None)

    assert (response["statusCode"], response["headers"]["Retry-After"]) == (200, "1")
    assert body_of(response) == {"order_id": ORDER_ID, "status": "PENDING"}
    assert logged("request_id", "order_id") == [("order_pending", "request-1", ORDER_ID)]


def test_unknown_id_gets_404_without_a_read_or_an_echo(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setattr(status._store, "_client", None)

    response = status.handler(http_event(order_id="<nonsense>"), None)

    assert (response["statusCode"], body_of(response)["code"]) == (404, "ORDER_NOT_FOUND")
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert "nonsense" not in response["body"]
    assert logged("request_id", "order_id") == [("order_not_found", "request-1", None)]


@pytest.mark.parametrize(
    ("claims", "is_shown"),
    [({"sub": "001"}, True), ({}, False), *(({"sub": customer}, False) for customer in ("002", "", 1, ["001"]))],
)
def test_token_shows_a_stored_order_to_its_customer_only(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch, claims: Any, is_shown: bool, logged: Logged
) -> None:
    monkeypatch.setenv("JWT_CUSTOMER_CLAIM", "sub")
    event = http_event(order_id=ORDER_ID, claims=claims)
    unknown = status.handler(http_event(order_id="unknown"), None)

    assert body_of(status.handler(event, None))["status"] == "PENDING"
    store_order()
    response = status.handler(event, None)
    assert body_of(response)["status"] == "PROCESSED" if is_shown else response == unknown
    event_name, order_id = ("order_found", ORDER_ID) if is_shown else ("order_not_found", None)
    assert logged("request_id", "order_id")[-1] == (event_name, "request-1", order_id)


@pytest.mark.parametrize(("error", "name"), failed_calls("StoreUnavailableError"))
def test_table_error_is_logged_and_leaks_nothing(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged, error: Exception, name: str
) -> None:
    monkeypatch.setattr(status._store._client, "get_item", Mock(side_effect=error))

    response = status.handler(http_event(order_id=ORDER_ID), None)

    is_unavailable = name.startswith("StoreUnavailableError")
    code = "STORE_UNAVAILABLE" if is_unavailable else "INTERNAL_ERROR"
    assert (response["statusCode"], body_of(response)["code"]) == (503 if is_unavailable else 500, code)
    assert response["headers"].get("Retry-After") == ("1" if is_unavailable else None)
    assert "secret" not in response["body"]
    assert logged("request_id", "order_id", "code", "error") == [("request_failed", "request-1", None, code, name)]
