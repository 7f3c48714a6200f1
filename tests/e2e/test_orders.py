"""An order passes through the deployed backend: HTTP, queue, table, notification."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws_emulator.metric_filters import matches
from orders.domain.order_id import parse_order_id
from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY, order_document
from support.waiting import wait_for

# For behavior that depends only on the code, which both deployments share.
CLOUDFORMATION_ONLY = pytest.mark.parametrize("stack", ["cloudformation"], indirect=True, scope="session")


def order_body(customer_id: str, product_id: str = "Banana") -> bytes:
    return json.dumps(order_document(customer_id=customer_id, product_id=product_id)).encode()


def test_sample_order_is_processed_within_two_seconds(stack: DeployedStack) -> None:
    stack.warm_up()

    accepted = stack.api.post(SAMPLE_BODY)
    since_acceptance = time.monotonic()
    order_id = accepted.json()["order_id"]
    processed = stack.wait_until_processed(order_id)

    assert time.monotonic() - since_acceptance < 2
    assert accepted.status == 202
    assert accepted.json() == {"order_id": order_id, "status": "ACCEPTED"}
    assert accepted.headers["location"] == f"/orders/{order_id}"
    assert accepted.headers["content-type"] == "application/json"
    assert parse_order_id(order_id) == order_id
    times = {name: processed[name] for name in ("submitted_at", "processed_at")}
    assert times["submitted_at"] < times["processed_at"]
    order = {"order_id": order_id, **order_document(quantity=1), **times}
    assert processed == {**order, "status": "PROCESSED"}
    attributes = {name: {"S": value} for name, value in order.items()}
    assert stack.item(order_id) == {**attributes, "quantity": {"N": "1"}}


@CLOUDFORMATION_ONLY
def test_1000_concurrent_orders_are_stored_and_announced_once(
    stack: DeployedStack, announcements: Callable[[], list[Any]]
) -> None:
    customer = f"crowd-{uuid.uuid4().hex[:8]}"

    with ThreadPoolExecutor(max_workers=50) as clients:
        responses = list(clients.map(stack.api.post, [order_body(customer)] * 1000))

    assert Counter(response.status for response in responses) == {202: 1000}
    order_ids = {response.json()["order_id"] for response in responses}
    assert len(order_ids) == 1000

    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0, seconds=120)
    assert Counter(stack.order_ids_of(customer)) == dict.fromkeys(order_ids, 1)

    announced: Counter[str] = Counter()

    def all_announced() -> bool:
        announced.update(message["order_id"] for message in announcements() if message["customer_id"] == customer)
        return announced.total() >= 1000

    wait_for("1000 announcements", all_announced, seconds=120)
    assert announced == dict.fromkeys(order_ids, 1)


def test_retry_with_a_key_makes_one_order_and_one_notification(
    stack: DeployedStack, announcements: Callable[[], list[Any]]
) -> None:
    customer = f"retry-{uuid.uuid4().hex[:8]}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": "once"}

    responses = [stack.api.post(order_body(customer), headers) for _ in range(3)]

    assert [response.status for response in responses] == [202] * 3
    [order_id] = {response.json()["order_id"] for response in responses}
    stack.wait_until_processed(order_id)
    wait_for("both duplicates", lambda: len(stack.events("processing", "order_duplicate", order_id)) == 2)
    assert stack.order_ids_of(customer) == [order_id]
    assert [
        m["order_id"] for m in stack.announced_before_a_new_order(announcements) if m["customer_id"] == customer
    ] == [order_id]


@CLOUDFORMATION_ONLY
def test_subscriber_gets_the_orders_of_one_customer_or_product(
    stack: DeployedStack, announcements: Callable[[], list[Any]]
) -> None:
    topic, tag = stack.outputs["order_completed_topic_arn"], uuid.uuid4().hex[:8]
    with (
        stack.subscribed_queue(topic, f"customer-{tag}", {"customer_id": [f"vip-{tag}"]}) as of_customer,
        stack.subscribed_queue(topic, f"product-{tag}", {"product_id": [f"Pear {tag}"]}) as of_product,
    ):
        placed = [
            stack.api.post(order_body(customer, product)).json()["order_id"]
            for customer, product in (
                (f"vip-{tag}", "Banana"),
                (f"vip-{tag}", f"Pear {tag}"),
                (f"other-{tag}", f"Pear {tag}"),
                (f"other-{tag}", "Banana"),
            )
        ]
        announced: list[str] = []

        def all_announced() -> bool:
            announced.extend(message["order_id"] for message in announcements())
            return set(placed) <= set(announced)

        wait_for("the announcements without a filter", all_announced)
        # SNS delivers an announcement to all subscribers before it delivers the next one.
        stack.announced_before_a_new_order(announcements)
        received = [
            {json.loads(message["Message"])["order_id"] for message in read()} for read in (of_customer, of_product)
        ]
    assert received == [{placed[0], placed[1]}, {placed[1], placed[2]}]


def test_each_step_of_an_order_is_logged_and_counted_once(one_stack: DeployedStack) -> None:
    stack = one_stack
    order_id = stack.api.post(SAMPLE_BODY).json()["order_id"]
    wait_for("the announcement", lambda: stack.events("notification", "order_notified", order_id))

    [accepted] = stack.events("submission", "order_accepted", order_id)
    [stored] = stack.events("processing", "order_stored", order_id)
    assert accepted["request_id"] == stored["request_id"]
    counted = {}
    for function in ("submission", "processing", "status", "notification"):
        filters = stack.client("logs").describe_metric_filters(logGroupName=f"/aws/lambda/{stack.prefix}-{function}")
        lines = stack.log_of(function, order_id).splitlines()
        for each in filters["metricFilters"]:
            metric = each["metricTransformations"][0]["metricName"]
            counted[metric] = sum(matches(each["filterPattern"], line) for line in lines)
    once = ("OrdersAccepted", "OrdersStored", "OrdersNotified")
    assert {metric: count for metric, count in counted.items() if count} == dict.fromkeys(once, 1)
    now = datetime.now(UTC)
    for metric in ("OrdersAccepted", "OrdersStored"):
        found = stack.client("cloudwatch").get_metric_statistics(
            Namespace="order-processing/dev",
            MetricName=metric,
            StartTime=now - timedelta(hours=4),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        assert sum(each["Sum"] for each in found["Datapoints"]) >= 1, metric
