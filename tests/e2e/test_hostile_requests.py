"""Every request of the table, sent as bytes to the deployed API: answered as it must be, never stored, never repeated."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from e2e.hostile_requests import HOSTILE_REQUESTS, MARKER, STATUS_OF, HostileRequest
from support.deployment.api import Answer
from support.deployment.stack import DeployedStack
from support.waiting import wait_for

FUNCTIONS = ("submission", "processing", "status", "notification")


@dataclass(frozen=True)
class Outcome:
    """What came of the whole table at one deployment."""

    answers: Mapping[str, Answer]
    """By the request's name."""
    stored: list[dict[str, Any]]
    """The items that the table did not hold before."""
    dead_letters: int
    """How many messages the dead-letter queue has more than before."""
    logs: Mapping[str, str]
    """What each function has logged."""


@pytest.fixture(scope="module")
def outcome(stack: DeployedStack) -> Outcome:
    """Send all requests, one after the other, and wait until nothing more can come of them."""
    wait_until_idle(stack)
    before = {item["order_id"]["S"] for item in items(stack)}
    dead_letters = waiting_messages(stack, "orders_dlq_url")

    answers = {
        request.name: stack.api.exchange(request.method, request.target, request.headers, request.rest)
        for request in HOSTILE_REQUESTS
    }

    accepted = {answer.json()["order_id"] for answer in answers.values() if answer.status == 202}

    def all_announced() -> bool:
        return accepted <= {event["order_id"] for event in stack.events("notification", "order_notified")}

    wait_for("the announcement of what was accepted", all_announced, seconds=60)
    wait_until_idle(stack)
    return Outcome(
        answers,
        [item for item in items(stack) if item["order_id"]["S"] not in before],
        waiting_messages(stack, "orders_dlq_url") - dead_letters,
        {function: stack.log_of(function) for function in FUNCTIONS},
    )


def wait_until_idle(stack: DeployedStack) -> None:
    wait_for("an empty queue", lambda: waiting_messages(stack, "orders_queue_url") == 0, seconds=120)


def waiting_messages(stack: DeployedStack, queue: str) -> int:
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=stack.outputs[queue], AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)


def items(stack: DeployedStack) -> Iterator[dict[str, Any]]:
    pages = (
        stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=stack.outputs["orders_table_name"], ConsistentRead=True)
    )
    for page in pages:
        yield from page["Items"]


@pytest.mark.parametrize("request_sent", HOSTILE_REQUESTS, ids=lambda request: request.name)
def test_each_is_answered_as_it_must_be(outcome: Outcome, request_sent: HostileRequest) -> None:
    answer = outcome.answers[request_sent.name]

    assert answer.status == request_sent.status
    assert ("location" in answer.headers) == (answer.status == 202)
    if request_sent.code is not None:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["code"]) == (request_sent.status, request_sent.code)
        if request_sent.pointers is not None:
            assert tuple(error["pointer"] for error in problem["errors"]) == request_sent.pointers
    elif answer.status == 200:
        assert answer.json()["status"] == "PENDING"
    elif answer.status >= 400:
        assert b'"code"' not in answer.body, "a function answered, and not the gateway"


def test_none_is_answered_with_a_server_error(outcome: Outcome) -> None:
    assert {name: answer.status for name, answer in outcome.answers.items() if answer.status >= 500} == {}


def test_no_answer_repeats_anything_of_its_request(outcome: Outcome) -> None:
    echoes = [
        name
        for name, answer in outcome.answers.items()
        if MARKER.encode() in answer.body or MARKER in "".join(answer.headers.values())
    ]
    assert echoes == []


def test_what_was_accepted_is_stored_once_and_nothing_else_is(outcome: Outcome) -> None:
    expected = {
        outcome.answers[request.name].json()["order_id"]: asdict(request.stored)
        for request in HOSTILE_REQUESTS
        if request.stored
    }

    stored = {
        item["order_id"]["S"]: {
            name: int(item[name]["N"]) if name == "quantity" else item[name]["S"]
            for name in ("customer_id", "product_id", "quantity", "order_date")
        }
        for item in outcome.stored
    }
    assert stored == expected
    assert len(outcome.stored) == len(expected)


def test_nothing_ends_in_the_dead_letter_queue(outcome: Outcome) -> None:
    assert outcome.dead_letters == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_logs_anything_of_a_request(outcome: Outcome, function: str) -> None:
    assert outcome.logs[function], "this test reads the wrong log"
    assert MARKER not in outcome.logs[function]


def test_the_table_is_as_hostile_as_it_says() -> None:
    names = Counter(request.name for request in HOSTILE_REQUESTS)
    assert [name for name, times in names.items() if times > 1] == []
    assert [request.name for request in HOSTILE_REQUESTS if MARKER.encode() not in request.content] == []
    assert {request.code for request in HOSTILE_REQUESTS} >= STATUS_OF.keys()
    assert sum(request.stored is None for request in HOSTILE_REQUESTS) >= 100
    assert sum(request.stored is not None for request in HOSTILE_REQUESTS) >= 30
