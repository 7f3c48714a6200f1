"""Both deployments return each error code of the contract, and browsers may read the response."""

import json

import pytest

from e2e.hostile_requests import HOSTILE_REQUESTS, STATUS_OF, HostileRequest
from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY

ONE_PER_CODE = {request.code: request for request in HOSTILE_REQUESTS if request.code in STATUS_OF}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("refused", ONE_PER_CODE.values(), ids=lambda request: request.code)
def test_rejected_request_gets_problem_details(stack: DeployedStack, refused: HostileRequest) -> None:
    answer = stack.api.exchange(refused.method, refused.target, refused.headers, refused.rest)

    problem = answer.json()
    assert (answer.status, problem["code"], problem["status"]) == (refused.status, refused.code, refused.status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "location" not in answer.headers
    assert {"type", "title", "detail", "request_id"} < problem.keys()


def test_422_names_every_violation_by_its_pointer(one_stack: DeployedStack) -> None:
    body = json.dumps({"quantity": "ten", "order_date": "2026-02-30", "note": "hello"}).encode()

    errors = one_stack.api.post(body).json()["errors"]

    names = ["customer_id", "note", "order_date", "product_id", "quantity"]
    assert [error["pointer"] for error in errors] == [f"/{name}" for name in names]
    assert all(error["detail"] for error in errors)


@pytest.mark.parametrize("body", [SAMPLE_BODY, b"{}"], ids=["accepted", "rejected"])
def test_browser_of_an_allowed_origin_can_read_every_response(stack: DeployedStack, body: bytes) -> None:
    answer = stack.api.post(body, JSON | {"Origin": stack.local.settings.origins[0]})

    assert answer.headers["access-control-allow-origin"] in ("*", stack.local.settings.origins[0])
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"location", "retry-after"} <= exposed


def test_browser_can_send_an_order_with_a_key(stack: DeployedStack) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, idempotency-key"}
    answer = stack.api.send("OPTIONS", "/orders", headers={"Origin": stack.local.settings.origins[0], **asked})

    assert answer.status in (200, 204)
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "content-type" in allowed
    assert "idempotency-key" in allowed
