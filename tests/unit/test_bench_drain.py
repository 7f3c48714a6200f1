"""How `make bench` drains the queue: nothing lost on the way, and the slowest processor measured once."""

import json
import uuid
from typing import Any

import pytest

from bench import drain
from bench.drain import Drain, drains


class PlayedStack:
    """A queue, a table, and processors that each store all that is queued when they are switched on."""

    def __init__(self) -> None:
        self.outputs = {"orders_queue_url": "queue", "orders_table_name": "orders"}
        self.queued: list[dict[str, Any]] = []
        self.stored: list[str] = []
        self.loses = 0
        self.is_stuck = False
        self.refuses: list[dict[str, str]] = []
        self.drained_by: list[tuple[str, int]] = []

    def client(self, service: str) -> "PlayedStack":
        return self

    # The system's and the bare functions.

    def own_mapping(self) -> dict[str, str]:
        return {"UUID": "own"}

    def deploy_processing(self, batch_size: int) -> str:
        return f"bare {batch_size}"

    def switch(self, mapping_id: str, on: bool) -> None:
        if on and not self.is_stuck:
            self.drained_by.append((mapping_id, len(self.queued)))
            self.stored += [message["order"]["customer_id"] for message in self.queued[self.loses :]]
            self.queued.clear()

    # SQS

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        assert 1 <= len(Entries) <= 10
        if self.refuses:
            return {"Failed": self.refuses}
        self.queued += [json.loads(entry["MessageBody"]) for entry in Entries]
        return {}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        return {"Attributes": {name: str(len(self.queued) if "Not" in name else 0) for name in AttributeNames}}

    def purge_queue(self, *, QueueUrl: str) -> None:  # noqa: N803
        assert QueueUrl == "queue"
        self.queued.clear()

    # DynamoDB

    def get_paginator(self, operation: str) -> "PlayedStack":
        assert operation == "query"
        return self

    def paginate(self, *, ExpressionAttributeValues: dict[str, Any], **_: object) -> list[dict[str, int]]:  # noqa: N803
        count = self.stored.count(ExpressionAttributeValues[":customer_id"]["S"])
        return [{"Count": count // 2}, {"Count": count - count // 2}]


@pytest.fixture
def stack() -> PlayedStack:
    return PlayedStack()


def drain_of(stack: Any) -> Drain:
    return Drain(stack, stack)


def test_every_order_of_a_drain_is_found_in_the_table(stack: PlayedStack) -> None:
    assert drain_of(stack).seconds("own", 23) > 0
    assert len(stack.stored) == 23
    assert len(set(stack.stored)) == 1


def test_a_drain_that_loses_an_order_is_no_figure(stack: PlayedStack) -> None:
    stack.loses = 1
    with pytest.raises(RuntimeError, match=r"^9 of 10 drained orders are stored"):
        drain_of(stack).seconds("own", 10)


def test_a_queue_that_refuses_messages_is_told(stack: PlayedStack) -> None:
    stack.refuses = [{"Id": "1", "Code": "InternalError"}]
    with pytest.raises(RuntimeError, match=r"^the queue refused messages: .*InternalError"):
        drain_of(stack).seconds("own", 10)


def test_a_queue_that_never_gets_empty_ends_the_wait_and_says_what_is_in_it(
    stack: PlayedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_TIMEOUT_SECONDS", 0.05)
    stack.is_stuck = True
    with pytest.raises(RuntimeError, match=r"^the queue was not drained within 0\.05 s: .*NotVisible': '10'"):
        drain_of(stack).seconds("own", 10)


def test_what_is_queued_can_be_thrown_away(stack: PlayedStack) -> None:
    stack.queued = [{"order": {"customer_id": str(uuid.uuid4())}}]
    drain_of(stack).empty()
    assert not stack.queued
    assert not stack.stored


def test_each_processor_is_warmed_and_the_slowest_measured_once_only(stack: PlayedStack) -> None:
    said: list[str] = []
    functions: Any = stack

    batch_ten, batch_one = drains(drain_of(stack), functions, 50, 3, said.append)

    warm_up = [(name, 10) for name in ("own", "bare 10", "bare 1")]
    first, other = [(name, 50) for name in ("own", "bare 10", "bare 1")], [("own", 50), ("bare 10", 50)]
    assert stack.drained_by == [*warm_up, *first, *other, *other]
    assert (batch_ten.name, batch_ten.at_most) == ("draining 50 orders", 1.2)
    assert (batch_one.name, batch_one.met) == ("draining 50 orders, beside batch 1", None)
    assert said[0] == "starting the workers"
    assert said[-1] == "round 3 of 3"
