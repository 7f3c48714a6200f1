"""Draining: how long the queued orders take to be stored, against bare processors on the same queue and table."""

import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from bench.bare_functions import BareFunctions
from bench.figures import Figure, compared
from local_stack import LocalStack
from orders.domain.message import write_message
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import RANDOM_BYTES, random_order_id

_TIMEOUT_SECONDS = 240
_POLL_SECONDS = 0.02


class Drain:
    """The orders queue of a running stack, filled and drained by one processor at a time."""

    def __init__(self, stack: LocalStack, functions: BareFunctions) -> None:
        self._outputs = stack.outputs
        self._sqs: Any = stack.client("sqs")
        self._dynamodb: Any = stack.client("dynamodb")
        self._functions = functions

    def wait_until_empty(self) -> None:
        """Return once no message waits and none is being processed."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while True:
            counts = self._sqs.get_queue_attributes(QueueUrl=self._outputs["orders_queue_url"], AttributeNames=names)[
                "Attributes"
            ]
            if not any(map(int, counts.values())):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the queue was not drained within {_TIMEOUT_SECONDS} s: {counts}")
            time.sleep(_POLL_SECONDS)

    def empty(self) -> None:
        """Throw away what is queued."""
        self._sqs.purge_queue(QueueUrl=self._outputs["orders_queue_url"])
        self.wait_until_empty()

    def seconds(self, mapping_id: str, orders: int) -> float:
        """Queue `orders` new orders, switch the mapping on and return how long it takes to store all."""
        customer_id = f"bench-{uuid.uuid4().hex[:12]}"
        self._fill(customer_id, orders)
        started = time.perf_counter()
        self._functions.switch(mapping_id, True)
        self.wait_until_empty()
        seconds = time.perf_counter() - started
        self._functions.switch(mapping_id, False)
        stored = self._stored(customer_id)
        if stored != orders:
            raise RuntimeError(f"{stored} of {orders} drained orders are stored")
        return seconds

    def _fill(self, customer_id: str, orders: int) -> None:
        for start in range(0, orders, 10):
            entries = [
                {"Id": str(number), "MessageBody": _message(customer_id)}
                for number in range(start, min(start + 10, orders))
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._outputs["orders_queue_url"], Entries=entries)
            if answer.get("Failed"):
                raise RuntimeError(f"the queue refused messages: {answer['Failed']}")

    def _stored(self, customer_id: str) -> int:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._outputs["orders_table_name"],
            IndexName="by_customer",
            KeyConditionExpression="customer_id = :customer_id",
            ExpressionAttributeValues={":customer_id": {"S": customer_id}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)


def drains(
    drain: Drain, functions: BareFunctions, orders: int, rounds: int, progress: Callable[[str], None]
) -> Iterator[Figure]:
    """Yield the time to drain `orders` orders, against a bare processor at batch 10 and one at batch 1."""
    own = functions.own_mapping()["UUID"]
    ten, one = functions.deploy_processing(10), functions.deploy_processing(1)
    seconds: dict[str, list[float]] = {own: [], ten: [], one: []}
    for mapping_id in seconds:
        progress("starting the workers")
        drain.seconds(mapping_id, orders // 5)
    for number in range(rounds):
        for mapping_id, taken in seconds.items():
            if mapping_id == one and taken:
                continue  # by far the slowest, and no target hangs on it
            progress(f"round {number + 1} of {rounds}")
            taken.append(drain.seconds(mapping_id, orders))
    name = f"draining {orders:,} orders"
    yield compared(name, seconds[own], seconds[ten], "s", "one unconditional put a message, batch 10", at_most=1.2)
    median = statistics.median(seconds[own])
    [slowest] = seconds[one]
    yield Figure(f"{name}, beside batch 1", median, "s", slowest, "the same at batch 1", median / slowest)


def _message(customer_id: str) -> str:
    order = Order(customer_id, "Banana", 1, "2025-04-25")
    return write_message(
        SubmittedOrder(random_order_id(os.urandom(RANDOM_BYTES)), order, "2025-04-25T10:00:00.000Z", "bench")
    )
