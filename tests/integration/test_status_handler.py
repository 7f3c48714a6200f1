"""The status handler on moto: each answer of GET /orders/{order_id}."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fake_aws.events import body_of, http_event, item_of
from sample_orders import PROCESSED_AT, SUBMITTED_AT, processed


@pytest.fixture
def status(import_handler: Callable[..., ModuleType], table_name: str) -> ModuleType:
    return import_handler("status", ORDERS_TABLE_NAME=table_name)


def test_a_stored_order_is_processed(status: ModuleType, table_name: str) -> None:
    boto3.client("dynamodb").put_item(TableName=table_name, Item=item_of(processed()))

    answer = status.handler(http_event(order_id=processed().order_id), None)

    assert answer["statusCode"] == 200
    assert body_of(answer) == {
        "order_id": processed().order_id,
        "customer_id": "001",
        "product_id": "Banana",
        "quantity": 1,
        "order_date": "2025-04-25",
        "submitted_at": SUBMITTED_AT,
        "processed_at": PROCESSED_AT,
        "status": "PROCESSED",
    }
    assert "Retry-After" not in answer["headers"]


def test_an_issued_id_that_is_not_stored_is_pending(status: ModuleType) -> None:
    answer = status.handler(http_event(order_id=processed().order_id), None)

    assert answer["statusCode"] == 200
    assert body_of(answer) == {"order_id": processed().order_id, "status": "PENDING"}
    assert answer["headers"]["Retry-After"] == "1"


def test_an_id_that_was_never_issued_is_a_404_without_an_echo(status: ModuleType) -> None:
    answer = status.handler(http_event(order_id="<nonsense>"), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (404, "ORDER_NOT_FOUND")
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert "nonsense" not in answer["body"]


def test_who_has_seen_an_order_processed_never_sees_it_pending_again(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def get_item(**request: Any) -> dict[str, Any]:
        requests.append(request)
        return {"Item": item_of(processed())}

    monkeypatch.setattr(status._store._client, "get_item", get_item)
    status.handler(http_event(order_id=processed().order_id), None)

    assert [request["ConsistentRead"] for request in requests] == [True]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "secret"}}, "GetItem"),
            "ClientError(ThrottlingException)",
        ),
        (ReadTimeoutError(endpoint_url="https://secret"), "ReadTimeoutError"),
    ],
)
def test_a_table_that_refuses_or_does_not_answer_is_a_503(
    status: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    name: str,
) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr(status._store._client, "get_item", refuse)

    answer = status.handler(http_event(order_id=processed().order_id), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer["headers"]["Retry-After"] == "1"
    [record] = caplog.records
    assert (record.message, record.__dict__["request_id"]) == ("request_failed", "request-1")
    assert record.__dict__["code"] == "STORE_UNAVAILABLE"
    assert record.__dict__["error"] == f"StoreUnavailableError < {name}"
    assert "secret" not in caplog.text


def test_the_event_log_tells_what_was_asked_for_and_what_came_of_it(
    status: ModuleType, table_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("dynamodb").put_item(TableName=table_name, Item=item_of(processed("stored")))
    stored, on_its_way = processed("stored").order_id, processed("on-its-way").order_id

    for order_id in (stored, on_its_way, "<nonsense>"):
        status.handler(http_event(order_id=order_id), None)

    assert [
        (record.message, record.__dict__["request_id"], record.__dict__.get("order_id")) for record in caplog.records
    ] == [
        ("order_found", "request-1", stored),
        ("order_pending", "request-1", on_its_way),
        ("order_not_found", "request-1", None),
    ]


def test_an_unforeseen_error_is_a_500_that_leaks_nothing(
    status: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(status._store._client, "get_item", fail)

    answer = status.handler(http_event(order_id=processed().order_id), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer["body"] + caplog.text
    [record] = caplog.records
    assert (record.message, record.__dict__["request_id"]) == ("request_failed", "request-1")
    assert (record.__dict__["code"], record.__dict__["error"]) == ("INTERNAL_ERROR", "RuntimeError")
