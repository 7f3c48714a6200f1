"""A CloudFormation stack is updated under load, rolled back, deleted and deployed again, with IAM enforced.

The tests share one stack and run in order; each continues from the state that the previous test left.
"""

import json
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStackError
from support.deployment.api import DeployedApi, Response
from support.deployment.cloudformation import Stack
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.package import lambda_zip
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

PREFIX = "order-processing-dev"
FUNCTIONS = ("submission", "processing", "status", "notification")
ORDERS_PER_SECOND = 20


@dataclass
class Deployed:
    """The stack and the IDs of all accepted orders."""

    emulator: Emulator
    stack: Stack
    api: DeployedApi
    accepted: list[str] = field(default_factory=list)

    def place(self) -> Response:
        """Place an order; keep its ID if it is accepted."""
        response = self.api.post(SAMPLE_BODY)
        if response.status == 202:
            self.accepted.append(response.json()["order_id"])
        return response

    def stored(self) -> list[str]:
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=f"{PREFIX}-orders")
        return [item["order_id"]["S"] for page in pages for item in page["Items"]]

    def wait_until_all_are_stored(self) -> None:
        """Wait until the table holds every accepted order once and nothing else."""
        wait_for("every accepted order in the table", lambda: set(self.stored()) >= set(self.accepted), seconds=60)
        assert Counter(self.stored()) == dict.fromkeys(self.accepted, 1)

    def live(self, function: str) -> Any:
        name = f"{PREFIX}-{function}"
        return self.emulator.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")

    def versions(self) -> dict[str, list[str]]:
        """Return each function's published versions."""
        versions = self.emulator.client("lambda").list_versions_by_function
        return {
            function: [each["Version"] for each in versions(FunctionName=f"{PREFIX}-{function}")["Versions"][1:]]
            for function in FUNCTIONS
        }

    def queue_url(self, name: str) -> str:
        return str(self.emulator.client("sqs").get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"])

    def queue_attributes(self, name: str) -> Any:
        url, names = self.queue_url(name), ["All"]
        return self.emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]

    def dead_letters(self) -> Any:
        return self.queue_attributes("orders-dlq")["ApproximateNumberOfMessages"]

    @contextmanager
    def continuous_orders(self) -> Iterator[None]:
        """Place orders before, during and after a `with` block; require that all are accepted."""
        responses: list[Response] = []
        stopping = threading.Event()

        def place_orders() -> None:
            while not stopping.wait(1 / ORDERS_PER_SECOND):
                responses.append(self.place())

        customer = threading.Thread(target=place_orders)
        customer.start()
        try:
            wait_for("the first orders", lambda: len(responses) >= 10)
            yield
            before = len(responses)
            wait_for("orders afterwards", lambda: len(responses) >= before + 20)
        finally:
            stopping.set()
            customer.join()
        assert Counter(response.status for response in responses) == {202: len(responses)}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        stack = Stack("orders", emulator)
        stack.deploy(NotificationEmail="operations@example.com", ProcessingTimeoutSeconds="5")
        yield Deployed(emulator, stack, DeployedApi(stack.outputs()["ApiEndpoint"]))


def other_code(path: Path) -> Path:
    """Write a zip with the same code and another hash."""
    shutil.copy(lambda_zip("local"), path)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr(f"orders/{path.stem}.txt", "another build")
    return path


def test_update_publishes_only_versions_that_change(deployed: Deployed) -> None:
    deployed.stack.deploy(LogRetentionDays="7", ApiThrottlingBurstLimit="999")
    assert deployed.versions() == {function: ["1"] for function in FUNCTIONS}

    deployed.stack.deploy(ProcessingTimeoutSeconds="10")
    assert deployed.versions() == {**{function: ["1"] for function in FUNCTIONS}, "processing": ["1", "2"]}
    assert deployed.live("processing")["Timeout"] == 10
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == "60"


def test_update_under_load_loses_no_order(deployed: Deployed, tmp_path: Path) -> None:
    before, versions = {function: deployed.live(function) for function in FUNCTIONS}, deployed.versions()
    deployed.stack.zip_path = other_code(tmp_path / "second.zip")

    with deployed.continuous_orders():
        deployed.stack.deploy(ProcessingTimeoutSeconds="15", LogRetentionDays="14")

    deployed.wait_until_all_are_stored()
    for function in FUNCTIONS:
        assert deployed.live(function)["CodeSha256"] != before[function]["CodeSha256"]
        assert deployed.versions()[function][:-1] == versions[function], "earlier versions are kept for a rollback"
    assert deployed.live("processing")["Timeout"] == 15
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == "90"


def test_failing_update_is_rolled_back_and_loses_no_order(deployed: Deployed, tmp_path: Path) -> None:
    before = {function: deployed.live(function) for function in FUNCTIONS}
    visibility = deployed.queue_attributes("orders")["VisibilityTimeout"]
    valid = deployed.stack.template
    # Lambda publishes no version without a change, so this resource fails after all others are updated.
    failing = "\n  Failing:\n    Type: AWS::Lambda::Version\n    DependsOn: [{}]\n    Properties: {}\n".format(
        ", ".join(f"{function.capitalize()}Alias" for function in FUNCTIONS),
        "{FunctionName: !Ref SubmissionFunction}",
    )
    deployed.stack.template = valid.replace("\nOutputs:", f"{failing}\nOutputs:", 1)
    deployed.stack.zip_path = other_code(tmp_path / "third.zip")

    with deployed.continuous_orders(), pytest.raises(LocalStackError):
        deployed.stack.deploy(ProcessingTimeoutSeconds="30")

    assert deployed.stack.description()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    deployed.wait_until_all_are_stored()
    for function in FUNCTIONS:
        live = deployed.live(function)
        assert (live["Version"], live["CodeSha256"]) == (before[function]["Version"], before[function]["CodeSha256"])
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == visibility

    deployed.stack.template = valid
    deployed.stack.deploy(ProcessingTimeoutSeconds="30")
    assert deployed.stack.description()["StackStatus"] == "UPDATE_COMPLETE", "the corrected update succeeds"


def test_stack_deletion_keeps_orders_when_protected(deployed: Deployed) -> None:
    deployed.stack.deploy(DeletionProtectionEnabled="true")
    dynamodb = deployed.emulator.client("dynamodb")
    assert dynamodb.describe_table(TableName=f"{PREFIX}-orders")["Table"]["DeletionProtectionEnabled"]
    sqs = deployed.emulator.client("sqs")
    sqs.send_message(QueueUrl=deployed.queue_url("orders-dlq"), MessageBody="a dead letter")

    deployed.stack.delete()

    deployed.wait_until_all_are_stored()
    assert deployed.dead_letters() == "1"
    for queue in ("orders", "orders-dlq"):
        assert "DenyInsecureTransport" in deployed.queue_attributes(queue)["Policy"]
    queues = [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]]
    assert sorted(queues) == [f"{PREFIX}-orders", f"{PREFIX}-orders-dlq"]
    assert deployed.emulator.client("lambda").list_functions()["Functions"] == []


def test_deleted_stack_can_be_deployed_again_with_its_orders(deployed: Deployed) -> None:
    """Follow the runbook's procedure with the API instead of the CLI."""
    stack, cloudformation = deployed.stack, deployed.emulator.client("cloudformation")
    parameters = {"NotificationEmail": "operations@example.com", "DeletionProtectionEnabled": "true"}
    stacks = cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    [stack_id] = [each["StackId"] for each in stacks if each["StackName"] == stack.name]
    template = cloudformation.get_template(StackName=stack_id, TemplateStage="Processed")["TemplateBody"]
    with pytest.raises(LocalStackError):
        stack.deploy(**parameters)
    assert "already exists" in str(cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"])
    stack.delete()
    assert deployed.dead_letters() == "1", "a failed deployment must lose no message"

    kept = {name: template["Resources"][name] for name in ("OrdersTable", "OrdersQueue", "OrdersDlq")}
    sections = {name: template[name] for name in ("Parameters", "Conditions")}
    identifiers = {
        "OrdersTable": {"TableName": f"{PREFIX}-orders"},
        "OrdersQueue": {"QueueUrl": deployed.queue_url("orders")},
        "OrdersDlq": {"QueueUrl": deployed.queue_url("orders-dlq")},
    }
    change_set = {"StackName": stack.name, "ChangeSetName": "keep"}
    cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({**sections, "Resources": kept}),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        ResourcesToImport=[
            {"ResourceType": kept[name]["Type"], "LogicalResourceId": name, "ResourceIdentifier": identifier}
            for name, identifier in identifiers.items()
        ],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**change_set)
    changes = [each["ResourceChange"] for each in cloudformation.describe_change_set(**change_set)["Changes"]]
    assert Counter(change["Action"] for change in changes) == {"Import": 3}
    cloudformation.execute_change_set(**change_set)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=stack.name)
    stack.deploy(**parameters)

    assert stack.description()["StackStatus"] == "UPDATE_COMPLETE"
    assert deployed.dead_letters() == "1"
    deployed.api = DeployedApi(stack.outputs()["ApiEndpoint"])
    assert deployed.place().status == 202
    deployed.wait_until_all_are_stored()


def test_stack_deletion_deletes_orders_when_unprotected(deployed: Deployed) -> None:
    deployed.stack.deploy(DeletionProtectionEnabled="false")

    deployed.stack.delete()

    assert deployed.emulator.client("dynamodb").list_tables()["TableNames"] == []
    assert deployed.emulator.client("sqs").list_queues().get("QueueUrls", []) == []
