"""The status handler on moto: each response of GET /orders/{order_id}."""

from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from support.sample_orders import processed
from support.stub_aws.events import body_of, http_event, item_of

ORDER_ID = processed().order_id


@pytest.fixture
def status(import_handler: Callable[..., ModuleType], table_name: str) -> ModuleType:
    return import_handler("status", ORDERS_TABLE_NAME=table_name)


@pytest.mark.parametrize("spelling", [ORDER_ID, ORDER_ID.upper()])
def test_stored_order_is_returned_as_processed(
    status: ModuleType, table_name: str, spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("dynamodb").put_item(TableName=table_name, Item=item_of(processed()))

    answer = status.handler(http_event(order_id=spelling), None)

    assert answer["statusCode"] == 200
    assert body_of(answer) == {**processed().to_document(), "status": "PROCESSED"}
    assert "Retry-After" not in answer["headers"]
    assert events(caplog) == [("order_found", "request-1", ORDER_ID, None, None)]


def test_issued_id_is_pending_when_it_is_not_stored(status: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    answer = status.handler(http_event(order_id=ORDER_ID), None)

    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (200, "1")
    assert body_of(answer) == {"order_id": ORDER_ID, "status": "PENDING"}
    assert events(caplog) == [("order_pending", "request-1", ORDER_ID, None, None)]


def test_unknown_id_gets_404_without_a_read_or_an_echo(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status._store, "_client", None)

    answer = status.handler(http_event(order_id="<nonsense>"), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (404, "ORDER_NOT_FOUND")
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert "nonsense" not in answer["body"]
    assert events(caplog) == [("order_not_found", "request-1", None, None, None)]


@pytest.mark.parametrize("customer", ["002", "", 1, ["001"], None])
def test_stored_order_is_not_found_when_the_token_names_another_customer(
    status: ModuleType,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
    customer: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("JWT_CUSTOMER_CLAIM", "sub")
    boto3.client("dynamodb").put_item(TableName=table_name, Item=item_of(processed()))
    event = http_event(order_id=ORDER_ID, claims={} if customer is None else {"sub": customer})

    assert status.handler(event, None) == status.handler(http_event(order_id="unknown"), None)
    assert events(caplog) == [("order_not_found", "request-1", None, None, None)] * 2


def test_stored_order_is_returned_when_the_token_names_its_customer(
    status: ModuleType, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_CUSTOMER_CLAIM", "sub")
    event = http_event(order_id=ORDER_ID, claims={"sub": processed().order.customer_id})

    assert body_of(status.handler(event, None))["status"] == "PENDING"
    boto3.client("dynamodb").put_item(TableName=table_name, Item=item_of(processed()))
    assert body_of(status.handler(event, None))["status"] == "PROCESSED"


def test_order_is_read_consistently(status: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    get_item = Mock(return_value={"Item": item_of(processed())})
    monkeypatch.setattr(status._store._client, "get_item", get_item)

    status.handler(http_event(order_id=ORDER_ID), None)

    assert get_item.call_args.kwargs["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "secret"}}, "GetItem"),
            "STORE_UNAVAILABLE",
            "StoreUnavailableError < ClientError(ThrottlingException)",
        ),
        (
            ReadTimeoutError(endpoint_url="https://secret"),
            "STORE_UNAVAILABLE",
            "StoreUnavailableError < ReadTimeoutError",
        ),
        (RuntimeError("secret"), "INTERNAL_ERROR", "RuntimeError"),
    ],
)
def test_table_error_is_logged_and_leaks_nothing(
    status: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
    name: str,
) -> None:
    monkeypatch.setattr(status._store._client, "get_item", Mock(side_effect=error))

    answer = status.handler(http_event(order_id=ORDER_ID), None)

    unavailable = code == "STORE_UNAVAILABLE"
    assert (answer["statusCode"], body_of(answer)["code"]) == (503 if unavailable else 500, code)
    assert answer["headers"].get("Retry-After") == ("1" if unavailable else None)
    assert events(caplog) == [("request_failed", "request-1", None, code, name)]
    assert "secret" not in answer["body"] + caplog.text


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    fields = ("message", "request_id", "order_id", "code", "error")
    return [tuple(vars(record).get(field) for field in fields) for record in caplog.records]
