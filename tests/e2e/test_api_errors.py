"""Both deployments return each error code of the contract, and browsers may read the response."""

import pytest

from e2e.hostile_requests import HOSTILE_REQUESTS, STATUS_OF, HostileRequest
from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY

ONE_PER_CODE = {code: next(request for request in HOSTILE_REQUESTS if request.code == code) for code in STATUS_OF}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("rejected", ONE_PER_CODE.values(), ids=lambda request: request.code)
def test_rejected_request_gets_problem_details(stack: DeployedStack, rejected: HostileRequest) -> None:
    response = rejected.send(stack.api)

    problem = response.json()
    assert (response.status, problem["code"], problem["status"]) == (rejected.status, rejected.code, rejected.status)
    assert response.headers["content-type"] == "application/problem+json"
    assert "location" not in response.headers
    assert {"type", "title", "detail", "request_id"} < problem.keys()


@pytest.mark.parametrize("body", [SAMPLE_BODY, b"{}"], ids=["accepted", "rejected"])
def test_browser_of_an_allowed_origin_can_read_every_response(stack: DeployedStack, body: bytes) -> None:
    response = stack.api.post(body, JSON | {"Origin": stack.local.settings.origins[0]})

    assert response.headers["access-control-allow-origin"] in ("*", stack.local.settings.origins[0])
    exposed = {name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")}
    assert {"location", "retry-after"} <= exposed


def test_browser_can_send_an_order_with_a_key(stack: DeployedStack) -> None:
    sent = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, idempotency-key"}
    response = stack.api.send("OPTIONS", "/orders", headers={"Origin": stack.local.settings.origins[0], **sent})

    assert response.status in (200, 204)
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower()
    assert "content-type" in allowed
    assert "idempotency-key" in allowed
