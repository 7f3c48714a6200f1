"""Each hostile request gets the expected response, is stored only if accepted, and is never echoed or logged.

One deployment is enough: both run the same code, the parity test compares their settings, and test_api_errors.py sends
one request per error code to each.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from e2e.hostile_requests import HOSTILE_REQUESTS, MARKER, ORDER, HostileRequest
from local_stack import LocalStack
from support.deployment.api import Response
from support.deployment.stack import DeployedStack
from support.waiting import wait_for

FUNCTIONS = ("submission", "processing", "status", "notification")


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack) -> DeployedStack:
    return DeployedStack(local_stack)


@pytest.fixture(scope="module")
def responses(stack: DeployedStack) -> Mapping[str, Response]:
    """The response to each request, by the request's name. All accepted orders are announced by then."""
    with ThreadPoolExecutor(max_workers=4) as clients:
        sent = clients.map(lambda request: (request.name, request.send(stack.api)), HOSTILE_REQUESTS)
        responses = dict(sent)
    assert len(responses) == len(HOSTILE_REQUESTS), "two requests have the same name"
    accepted = {response.json()["order_id"] for response in responses.values() if response.status == 202}

    def all_announced() -> bool:
        return accepted <= {event["order_id"] for event in stack.events("notification", "order_notified")}

    wait_for("the announcement of each accepted order", all_announced, seconds=60)
    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0, seconds=60)
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


def test_only_accepted_orders_are_stored(stack: DeployedStack, responses: Mapping[str, Response]) -> None:
    expected = {
        responses[each.name].json()["order_id"]: asdict(each.stored) for each in HOSTILE_REQUESTS if each.stored
    }

    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["orders_table_name"])
    items = [{name: next(iter(value.values())) for name, value in item.items()} for p in pages for item in p["Items"]]
    stored = {
        item["order_id"]: {name: int(item[name]) if name == "quantity" else item[name] for name in ORDER}
        for item in items
        if MARKER in item.values()
    }
    assert stored == expected
    assert not [message for message in stack.dead_letters() if MARKER in message["Body"]]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_logs_nothing_of_a_hostile_request(
    stack: DeployedStack, responses: Mapping[str, Response], function: str
) -> None:
    log = stack.log_of(function)
    assert log
    assert MARKER not in log
