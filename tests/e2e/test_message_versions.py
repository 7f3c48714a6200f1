"""The message's shape changes while orders are in flight: none is lost, also where the change is rolled back.

Version 2 is made up. It comes into the real zip as whoever changes the shape would write it, and is deployed as the runbook says:
first what reads it, then what writes it.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from orders.domain.errors import MessageVersionUnknownError
from support.deployment.package import changed_zip, lambda_zip
from support.deployment.stack import DeployedStack
from support.machine.orders_command import OrdersCommand
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

READS_VERSION_2 = """

def _read_version_2(message, rules):
    line = message["line"]
    order = {
        "customer_id": message["customer"],
        "product_id": line["product"],
        "quantity": line["pieces"],
        "order_date": message["date"],
    }
    return _read_version_1({**message, "order": order}, rules)


READERS = {**READERS, 2: _read_version_2}
"""

WRITES_VERSION_2 = """

VERSION = 2


def write_message(submitted):
    order = submitted.order
    return json.dumps(
        {
            "version": VERSION,
            "order_id": submitted.order_id,
            "customer": order.customer_id,
            "line": {"product": order.product_id, "pieces": order.quantity},
            "date": order.order_date,
            "submitted_at": submitted.submitted_at,
            "request_id": submitted.request_id,
        }
    )
"""


class Functions:
    """The two functions that messages go between, and the versions of their code."""

    NAMES = ("submission", "processing")

    def __init__(self, stack: DeployedStack) -> None:
        self._stack = stack
        self._lambda = stack.client("lambda")
        self._zip = lambda_zip("local")
        self.former = {name: self.live(name) for name in self.NAMES}

    def live(self, name: str) -> str:
        """Return the version that serves orders."""
        return str(self._lambda.get_alias(FunctionName=f"{self._stack.prefix}-{name}", Name="live")["FunctionVersion"])

    def point(self, name: str, version: str) -> None:
        """Let a version serve orders."""
        self._lambda.update_alias(FunctionName=f"{self._stack.prefix}-{name}", Name="live", FunctionVersion=version)

    def deploy(self, name: str, more: str) -> None:
        """Publish the project's zip, with `more` at the end of message.py, and let it serve orders."""
        version = self._lambda.update_function_code(
            FunctionName=f"{self._stack.prefix}-{name}",
            ZipFile=changed_zip(self._zip, "orders/domain/message.py", more=more),
            Publish=True,
        )["Version"]
        self.point(name, version)

    def restore(self) -> None:
        """Let what served orders before serve them again."""
        for name, version in self.former.items():
            self.deploy(name, "")
            self.point(name, version)


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack) -> DeployedStack:
    """The stack of one way to deploy: the code is the same in the other."""
    return DeployedStack(local_stack)


@pytest.fixture
def customer() -> str:
    return f"versions-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def functions(stack: DeployedStack) -> Iterator[Functions]:
    functions = Functions(stack)
    yield functions
    functions.restore()


def place(stack: DeployedStack, customer: str, number: int) -> list[str]:
    """Place a customer's orders at the API; return their ids."""
    answers = [stack.api.post(SAMPLE_BODY.replace(b"001", customer.encode())) for _ in range(number)]
    assert [answer.status for answer in answers] == [202] * number
    return [answer.json()["order_id"] for answer in answers]


def wait_until_stored_once(stack: DeployedStack, customer: str, order_ids: list[str]) -> None:
    wait_for("every order", lambda: set(stack.order_ids_of(customer)) >= set(order_ids), seconds=60)
    assert Counter(stack.order_ids_of(customer)) == dict.fromkeys(order_ids, 1)


def versions_waiting(stack: DeployedStack, number: int) -> list[int]:
    """Return the versions of the messages in the orders queue, once there are so many, and leave them there."""
    sqs, seen = stack.client("sqs"), dict[str, int]()

    def all_seen() -> bool:
        messages = sqs.receive_message(
            QueueUrl=stack.outputs["orders_queue_url"], MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        ).get("Messages", [])
        seen.update({message["MessageId"]: json.loads(message["Body"])["version"] for message in messages})
        return len(seen) == number

    wait_for("the messages", all_seen)
    return sorted(seen.values())


def test_orders_in_flight_are_stored_whatever_shape_their_messages_have(
    stack: DeployedStack, functions: Functions, customer: str
) -> None:
    with stack.processing_off():
        order_ids = place(stack, customer, 3)
        for name in functions.NAMES:
            functions.deploy(name, READS_VERSION_2)
        order_ids += place(stack, customer, 2)
        # In the worst order: what is written changes while the function that reads is still the one before.
        functions.deploy("submission", READS_VERSION_2 + WRITES_VERSION_2)
        order_ids += place(stack, customer, 4)
        assert versions_waiting(stack, 9) == [1] * 5 + [2] * 4

    wait_until_stored_once(stack, customer, order_ids)
    # And rolled back by one deployment: what the later code has written is still read.
    functions.deploy("processing", READS_VERSION_2 + WRITES_VERSION_2)
    with stack.processing_off():
        order_ids += place(stack, customer, 2)
        functions.deploy("processing", READS_VERSION_2)
    wait_until_stored_once(stack, customer, order_ids)


def test_orders_of_a_version_that_is_not_read_wait_in_the_dead_letter_queue_and_are_stored_once_it_is(
    stack: DeployedStack, functions: Functions, customer: str, local_stack: LocalStack, tmp_path: Path
) -> None:
    orders = OrdersCommand(local_stack, tmp_path)
    reason = MessageVersionUnknownError.REASON

    def waiting() -> dict[str, Any] | None:
        groups = json.loads(orders.run("dlq", "list", "--json").out)["groups"]
        return next((group for group in groups if group["reason"] == reason and group["count"] == 3), None)

    with stack.quick_redelivery():
        functions.deploy("submission", READS_VERSION_2 + WRITES_VERSION_2)
        order_ids = place(stack, customer, 3)
        group = wait_for("the orders in the dead-letter queue", waiting, seconds=60)
    assert "do not drop" in group["what_to_do"]
    assert stack.order_ids_of(customer) == []
    assert stack.api.get(order_ids[0]).json()["status"] == "PENDING"

    functions.deploy("processing", READS_VERSION_2)
    orders.run("dlq", "redrive", "--yes", "--reason", reason)

    wait_until_stored_once(stack, customer, order_ids)
    assert waiting() is None
