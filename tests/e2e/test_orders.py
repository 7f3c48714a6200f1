"""An order passes through the deployed backend: HTTP, queue, table, notification."""

import json
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from orders.domain.order_id import parse_order_id
from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY, order_document
from support.waiting import wait_for


def order_body(customer_id: str) -> bytes:
    return json.dumps(order_document(customer_id=customer_id)).encode()


@pytest.mark.parametrize("deployment", ["local_stack", "terraform_stack"])
def test_sample_order_is_processed_within_two_seconds(request: pytest.FixtureRequest, deployment: str) -> None:
    stack = DeployedStack(request.getfixturevalue(deployment))
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


def test_1000_concurrent_orders_are_stored_and_announced_once(stack: DeployedStack) -> None:
    customer = f"crowd-{uuid.uuid4().hex[:8]}"

    with stack.subscribed_queue(stack.outputs["order_completed_topic_arn"], customer) as read:
        with ThreadPoolExecutor(max_workers=50) as clients:
            responses = list(clients.map(stack.api.post, [order_body(customer)] * 1000))

        assert Counter(response.status for response in responses) == {202: 1000}
        order_ids = {response.json()["order_id"] for response in responses}
        assert len(order_ids) == 1000

        wait_for("an empty orders queue", lambda: stack.messages("orders") == 0, seconds=120)
        assert Counter(stack.order_ids_of(customer)) == dict.fromkeys(order_ids, 1)

        announced: Counter[str] = Counter()

        def all_announced() -> bool:
            orders = [json.loads(message["Message"]) for message in read()]
            announced.update(order["order_id"] for order in orders if order["customer_id"] == customer)
            return announced.total() >= 1000

        wait_for("1000 announcements", all_announced, seconds=120)
        assert announced == dict.fromkeys(order_ids, 1)


def test_retry_with_a_key_makes_one_order_and_one_notification(stack: DeployedStack) -> None:
    customer = f"retry-{uuid.uuid4().hex[:8]}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": "once"}

    responses = [stack.api.post(order_body(customer), headers) for _ in range(3)]

    assert [response.status for response in responses] == [202] * 3
    [order_id] = {response.json()["order_id"] for response in responses}
    stack.wait_until_processed(order_id)
    wait_for("both duplicates", lambda: len(stack.events("processing", "order_duplicate", order_id)) == 2)
    assert stack.order_ids_of(customer) == [order_id]
    # The stream is ordered, so a second notification would precede the one of this order.
    stack.warm_up()
    assert len(stack.events("notification", "order_notified", order_id)) == 1
