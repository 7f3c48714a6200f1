"""No order in flight is lost when the message format changes or the change is rolled back.

Version 2 exists only in this test. It is added to the real zip and deployed as the runbook says: first the code that
reads it, then the code that writes it.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from support.deployment.stack import DeployedStack
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

# Version 2 calls the order "purchase".
READS_VERSION_2 = """

def _read_version_2(message, rules):
    return _read_version_1({**message, "order": message["purchase"]}, rules)


READERS = {**READERS, 2: _read_version_2}
"""

WRITES_VERSION_2 = """

_write_version_1 = write_message


def write_message(submitted):
    message = json.loads(_write_version_1(submitted))
    return json.dumps({"purchase": message.pop("order"), **message, "version": 2})
"""


Deploy = Callable[[str, str], None]


@pytest.fixture
def deploy(stack: DeployedStack) -> Iterator[Deploy]:
    """Return a function that deploys a Lambda function with code appended to message.py; roll back afterwards."""
    former: dict[str, str] = {}

    def publish(function: str, more: str) -> str:
        return stack.publish(function, "orders/domain/message.py", lambda text: text + more)

    def deploy(function: str, more: str) -> None:
        version = stack.serve(function, publish(function, more))
        former.setdefault(function, version)

    yield deploy
    for function, version in former.items():
        publish(function, "")
        stack.serve(function, version)


def test_orders_in_flight_are_stored_when_the_format_changes(stack: DeployedStack, deploy: Deploy) -> None:
    customer = f"versions-{uuid.uuid4().hex[:8]}"
    placed: list[str] = []

    def place(number: int) -> None:
        responses = [stack.api.post(SAMPLE_BODY.replace(b"001", customer.encode())) for _ in range(number)]
        placed.extend(response.json()["order_id"] for response in responses)

    def require_all_stored_once() -> None:
        wait_for("every order", lambda: set(stack.order_ids_of(customer)) >= set(placed), seconds=60)
        assert Counter(stack.order_ids_of(customer)) == dict.fromkeys(placed, 1)

    def versions_waiting() -> list[int]:
        receive = stack.client("sqs").receive_message
        options = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "WaitTimeSeconds": 0}
        messages = receive(QueueUrl=stack.outputs["orders_queue_url"], **options).get("Messages", [])
        return sorted(json.loads(message["Body"])["version"] for message in messages)

    with stack.processing_off():
        place(3)
        for function in ("submission", "processing"):
            deploy(function, READS_VERSION_2)
        place(2)
        # Only submission writes version 2; processing reads both versions.
        deploy("submission", READS_VERSION_2 + WRITES_VERSION_2)
        place(4)
        wait_for("messages of both versions", lambda: versions_waiting() == [1] * 5 + [2] * 4)
    require_all_stored_once()

    # Roll back one deployment: the previous code reads the messages of the later code.
    deploy("processing", READS_VERSION_2 + WRITES_VERSION_2)
    with stack.processing_off():
        place(2)
        deploy("processing", READS_VERSION_2)
    require_all_stored_once()
