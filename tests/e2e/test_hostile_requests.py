"""Each hostile request gets the expected response, is stored only if accepted, and is never echoed or logged.

One deployment is enough, because both run the same code. The tests at the end send one request per error code to each.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from e2e.hostile_requests import HOSTILE_REQUESTS, MARKER, ORDER, STATUS_OF, HostileRequest
from support.deployment.api import JSON_TYPE, Response
from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

FUNCTIONS = ("submission", "processing", "status", "notification")
ONE_PER_CODE = {code: next(request for request in HOSTILE_REQUESTS if request.code == code) for code in STATUS_OF}


@pytest.fixture(scope="module")
def responses(one_stack: DeployedStack) -> Mapping[str, Response]:
    """The response to each request, by the request's name. All accepted orders are announced by then."""
    with ThreadPoolExecutor(max_workers=4) as clients:
        sent = clients.map(lambda request: (request.name, request.send(one_stack.api)), HOSTILE_REQUESTS)
        responses = dict(sent)
    assert len(responses) == len(HOSTILE_REQUESTS), "two requests have the same name"
    accepted = {response.json()["order_id"] for response in responses.values() if response.status == 202}

    def all_announced() -> bool:
        return accepted <= {event["order_id"] for event in one_stack.events("notification", "order_notified")}

    wait_for("the announcement of each accepted order", all_announced, seconds=60)
    wait_for("an empty orders queue", lambda: one_stack.messages("orders") == 0, seconds=60)
    return responses


@pytest.mark.parametrize("hostile", HOSTILE_REQUESTS, ids=lambda request: request.name)
def test_hostile_request_gets_the_expected_response(responses: Mapping[str, Response], hostile: HostileRequest) -> None:
    response = responses[hostile.name]

    assert response.status == hostile.status
    assert ("location" in response.headers) == (response.status == 202)
    assert MARKER.encode() not in response.body + "".join(response.headers.values()).encode(), (
        "the response must not echo the request"
    )
    if hostile.code is not None:
        problem = response.json()
        assert response.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["code"]) == (hostile.status, hostile.code)
        if hostile.pointer is not None:
            assert [error["pointer"] for error in problem["errors"]] == [hostile.pointer]
    elif response.status == 200:
        assert response.json()["status"] == "PENDING"
    elif response.status >= 400:
        assert b'"code"' not in response.body, "the gateway must respond, not a function"


def test_only_accepted_orders_are_stored(one_stack: DeployedStack, responses: Mapping[str, Response]) -> None:
    expected = {
        responses[each.name].json()["order_id"]: asdict(each.stored) for each in HOSTILE_REQUESTS if each.stored
    }

    pages = (
        one_stack.client("dynamodb").get_paginator("scan").paginate(TableName=one_stack.outputs["orders_table_name"])
    )
    items = [{name: next(iter(value.values())) for name, value in item.items()} for p in pages for item in p["Items"]]
    stored = {
        item["order_id"]: {name: int(item[name]) if name == "quantity" else item[name] for name in ORDER}
        for item in items
        if MARKER in item.values()
    }
    assert stored == expected
    assert not [message for message in one_stack.dead_letters() if MARKER in message["Body"]]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_logs_nothing_of_a_hostile_request(
    one_stack: DeployedStack, responses: Mapping[str, Response], function: str
) -> None:
    log = one_stack.log_of(function)
    assert log
    assert MARKER not in log


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
    response = stack.api.post(body, JSON_TYPE | {"Origin": stack.local.settings.origins[0]})

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
