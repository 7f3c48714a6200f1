"""Each row of the contract's error table, sent as bytes through the deployed API; hostile_requests.py has hundreds more."""

import gzip
import json
from typing import Any

import pytest

from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY, order_document

JSON = {"Content-Type": "application/json"}


def with_field(name: str, value: Any) -> bytes:
    return json.dumps(order_document(**{name: value})).encode()


REFUSED = [
    pytest.param(None, JSON, 400, "BODY_MISSING", id="no body"),
    pytest.param(SAMPLE_BODY.replace(b'"1"', b"NaN"), JSON, 400, "INVALID_JSON", id="NaN"),
    pytest.param(SAMPLE_BODY.replace(b"Banana", b"\xff\xfe"), JSON, 400, "INVALID_ENCODING", id="not UTF-8"),
    pytest.param(SAMPLE_BODY[:-1] + b', "quantity": 2}', JSON, 400, "DUPLICATE_KEY", id="a key twice"),
    pytest.param(b"[" * 5000 + b"]" * 5000, JSON, 400, "NESTING_TOO_DEEP", id="5000 levels"),
    pytest.param(SAMPLE_BODY, JSON | {"Idempotency-Key": "k" * 256}, 400, "IDEMPOTENCY_KEY_INVALID", id="key of 256"),
    pytest.param(SAMPLE_BODY.ljust(16 * 1024 + 1), JSON, 413, "PAYLOAD_TOO_LARGE", id="16 KiB and a byte"),
    pytest.param(SAMPLE_BODY, {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", id="text/plain"),
    pytest.param(
        gzip.compress(SAMPLE_BODY),
        JSON | {"Content-Encoding": "gzip"},
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        id="gzip",
    ),
    pytest.param(with_field("order_date", "2026-02-30"), JSON, 422, "VALIDATION_FAILED", id="no such day"),
]


@pytest.mark.parametrize(("body", "headers", "status", "code"), REFUSED)
def test_a_refused_order_gets_problem_details(
    stack: DeployedStack, body: bytes | None, headers: dict[str, str], status: int, code: str
) -> None:
    answer = stack.api.post(body, headers)

    problem = answer.json()
    assert (answer.status, problem["code"], problem["status"]) == (status, code, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "location" not in answer.headers
    assert {"type", "title", "detail", "request_id"} < problem.keys()


def test_a_422_names_every_violation_by_its_pointer(stack: DeployedStack) -> None:
    body = json.dumps({"quantity": "ten", "order_date": "2026-02-30", "note": "hello"}).encode()

    problem = stack.api.post(body).json()

    assert [error["pointer"] for error in problem["errors"]] == [
        "/customer_id",
        "/note",
        "/order_date",
        "/product_id",
        "/quantity",
    ]
    assert all(error["detail"] for error in problem["errors"])
    assert "hello" not in json.dumps(problem)


def test_a_mistyped_id_is_not_found(stack: DeployedStack) -> None:
    order_id = stack.api.post(SAMPLE_BODY).json()["order_id"]
    mistyped = order_id[:-1] + ("0" if order_id[-1] != "0" else "1")

    assert stack.api.get(order_id).status == 200
    answer = stack.api.get(mistyped)
    assert (answer.status, answer.json()["code"]) == (404, "ORDER_NOT_FOUND")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [SAMPLE_BODY, b"{}"], ids=["accepted", "refused"])
def test_a_browser_of_an_allowed_origin_may_read_every_answer(stack: DeployedStack, body: bytes) -> None:
    answer = stack.api.post(body, JSON | {"Origin": stack.local.settings.origins[0]})

    assert answer.headers["access-control-allow-origin"] in ("*", stack.local.settings.origins[0])
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"location", "retry-after"} <= exposed


def test_a_browser_may_send_an_order_with_a_key(stack: DeployedStack) -> None:
    answer = stack.api.send(
        "OPTIONS",
        "/orders",
        headers={
            "Origin": stack.local.settings.origins[0],
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, idempotency-key",
        },
    )

    assert answer.status in (200, 204)
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "content-type" in allowed
    assert "idempotency-key" in allowed
