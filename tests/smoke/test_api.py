"""API Gateway responds, logs, throttles and authorizes as documented, and an order is processed."""

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from smoke.system import System
from support.deployment.api import JSON_TYPE, DeployedApi
from support.sample_orders import order_document
from support.waiting import wait_for

BODY_LIMIT = 10 * 1024 * 1024  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
LARGEST_BURST = 200  # what one machine can send at once


ORDER = json.dumps(order_document(customer_id="smoke-test")).encode()


def requires_token(system: System) -> bool:
    return bool(system.client("apigatewayv2").get_authorizers(ApiId=system.api_id)["Items"])


@pytest.fixture
def api(system: System) -> DeployedApi:
    """The API if an order can be placed without a token."""
    if requires_token(system):
        pytest.skip("this deployment requires a token (jwt_issuer)")
    return system.api


def test_gateway_rejects_unknown_routes_and_large_bodies(system: System) -> None:
    unknown = system.api.send("GET", "/nowhere")
    assert (unknown.status, unknown.document) == (404, {"message": "Not Found"})
    try:
        large = system.api.post(b" " * (BODY_LIMIT + 1))
    except (BrokenPipeError, ConnectionResetError):
        return  # API Gateway closed the connection
    assert large.status == 413
    assert "code" not in large.document, "the function responded"


def test_access_log_has_request_ids(system: System) -> None:
    lines = system.log_lines(system.access_log)
    if not lines:
        pytest.skip("no request was logged within a day")
    assert [line for line in lines if "request_id" not in json.loads(line)] == []


def test_request_without_a_token_is_rejected(system: System) -> None:
    if not requires_token(system):
        pytest.skip("this deployment requires no token (jwt_issuer)")
    assert system.api.post(b"{}").status == 401
    assert system.api.get("x").status == 401


@pytest.mark.writes("load")
def test_burst_above_the_limit_is_throttled(system: System) -> None:
    [stage] = system.client("apigatewayv2").get_stages(ApiId=system.api_id)["Items"]
    limits = stage.get("RouteSettings", {}).get("GET /orders/{order_id}") or stage.get("DefaultRouteSettings", {})
    burst = int(limits.get("ThrottlingBurstLimit") or 0)
    assert burst, "the stage has no throttle"
    if burst > LARGEST_BURST:
        pytest.skip(
            f"the burst limit of {burst} is more than this machine can exceed; in a separate stage, deploy "
            "status_throttling_burst_limit and status_throttling_rate_limit of 5"
        )
    with ThreadPoolExecutor(max_workers=50) as clients:
        # An id that was never issued costs no read.
        statuses = Counter(clients.map(lambda _: system.api.get("x").status, range(10 * burst)))
    assert statuses[429], f"{10 * burst} requests exceeded a burst limit of {burst} and none was rejected: {statuses}"


@pytest.mark.writes("orders")
def test_order_is_processed(api: DeployedApi) -> None:
    accepted = api.post(ORDER)
    assert accepted.status == 202, accepted.document.get("code")
    order_id = accepted.document["order_id"]
    wait_for(f"order {order_id}", lambda: api.get(order_id).document.get("status") == "PROCESSED", 60)


@pytest.mark.writes("orders")
def test_repeated_idempotency_key_returns_the_same_order(api: DeployedApi) -> None:
    headers = (*JSON_TYPE.items(), ("Idempotency-Key", uuid.uuid4().hex), ("Idempotency-Key", "other"))
    first, second = (api.send("POST", "/orders", ORDER, headers) for _ in range(2))
    if (first.status, second.status) != (400, 400):
        assert (first.status, second.status) == (202, 202)
        assert first.document["order_id"] == second.document["order_id"], "a retry created a second order"
