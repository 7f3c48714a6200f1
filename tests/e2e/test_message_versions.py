"""No order in flight is lost when the message format changes or the change is rolled back.

Version 2 exists only in this test. It is added to the real zip and deployed as the runbook says: first the code that
reads it, then the code that writes it.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from support.deployment.package import changed_zip, lambda_zip
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
def deploy(one_stack: DeployedStack) -> Iterator[Deploy]:
    """Return a function that deploys a Lambda function with code appended to message.py; roll back afterwards."""
    functions, package = one_stack.client("lambda"), lambda_zip("local")

    def name_of(function: str) -> dict[str, str]:
        return {"FunctionName": f"{one_stack.prefix}-{function}"}

    def point(function: str, version: str) -> None:
        functions.update_alias(**name_of(function), Name="live", FunctionVersion=version)

    def deploy(function: str, more: str) -> None:
        code = changed_zip(package, "orders/domain/message.py", lambda text: text + more)
        point(function, functions.update_function_code(**name_of(function), ZipFile=code, Publish=True)["Version"])

    versions = {
        function: functions.get_alias(**name_of(function), Name="live")["FunctionVersion"]
        for function in ("submission", "processing")
    }
    yield deploy
    for function, version in versions.items():
        deploy(function, "")
        point(function, version)


def test_orders_in_flight_are_stored_when_the_format_changes(one_stack: DeployedStack, deploy: Deploy) -> None:
    stack, customer = one_stack, f"versions-{uuid.uuid4().hex[:8]}"
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
