"""The life of a CloudFormation stack, on the emulator with IAM enforced: created, updated under load, rolled back,
deleted.

The tests share one stack and come in the order of its life.
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

from support.deployment.api import Answer, DeployedApi
from support.deployment.cloudformation import Stack, StackError
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.package import lambda_zip
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

PREFIX = "order-processing-dev"
FUNCTIONS = ("submission", "processing", "status", "notification")
ORDERS_A_SECOND = 20


@dataclass
class Deployed:
    """The stack, and every order that it has accepted so far."""

    emulator: Emulator
    stack: Stack
    api: DeployedApi
    accepted: list[str] = field(default_factory=list)

    def place(self) -> Answer:
        """Place an order and keep its id if it is accepted."""
        answer = self.api.post(SAMPLE_BODY)
        if answer.status == 202:
            self.accepted.append(answer.json()["order_id"])
        return answer

    def stored(self) -> list[str]:
        """Return the id of every row of the table."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=f"{PREFIX}-orders")
        return [item["order_id"]["S"] for page in pages for item in page["Items"]]

    def wait_until_all_are_stored(self) -> None:
        """Return when every accepted order is in the table, and nothing else is."""
        wait_for("every accepted order in the table", lambda: set(self.stored()) >= set(self.accepted), seconds=60)
        assert Counter(self.stored()) == dict.fromkeys(self.accepted, 1)

    def live(self, function: str) -> dict[str, Any]:
        """Return the configuration of the version that serves orders."""
        functions = self.emulator.client("lambda")
        configuration: dict[str, Any] = functions.get_function_configuration(
            FunctionName=f"{PREFIX}-{function}", Qualifier="live"
        )
        return configuration

    def versions(self) -> dict[str, list[str]]:
        """Return each function's published versions."""
        functions = self.emulator.client("lambda")
        return {
            function: [
                version["Version"]
                for version in functions.list_versions_by_function(FunctionName=f"{PREFIX}-{function}")["Versions"]
                if version["Version"] != "$LATEST"
            ]
            for function in FUNCTIONS
        }

    def queue_attributes(self, name: str) -> dict[str, str]:
        """Return a queue's attributes."""
        sqs = self.emulator.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]
        attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes

    @contextmanager
    def orders_flowing(self) -> Iterator[list[Answer]]:
        """Place orders all through a `with` block, some before it and some after; yield their answers."""
        answers: list[Answer] = []
        stopping = threading.Event()

        def flow() -> None:
            while not stopping.wait(1 / ORDERS_A_SECOND):
                answers.append(self.place())

        customer = threading.Thread(target=flow)
        customer.start()
        try:
            wait_for("the first orders", lambda: len(answers) >= 10)
            yield answers
            before = len(answers)
            wait_for("orders afterwards", lambda: len(answers) >= before + 20)
        finally:
            stopping.set()
            customer.join()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        stack = Stack("orders", tmp_path_factory.mktemp("stack"), emulator.environment)
        stack.take_code(lambda_zip("local"))
        stack.deploy(NotificationEmail="operations@example.com", ProcessingTimeoutSeconds="5")
        yield Deployed(emulator, stack, DeployedApi(stack.outputs()["ApiEndpoint"]))


def other_code(path: Path) -> Path:
    """Write a zip that does the same as the project's but is another one."""
    shutil.copy(lambda_zip("local"), path)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr(f"orders/{path.stem}.txt", "another build")
    return path


def test_a_stack_is_created_with_the_contracts_outputs(deployed: Deployed) -> None:
    assert deployed.stack.description()["StackStatus"] == "CREATE_COMPLETE"
    outputs = deployed.stack.outputs()
    assert outputs.keys() == {
        "ApiEndpoint",
        "OrdersTableName",
        "OrdersQueueUrl",
        "OrdersDlqUrl",
        "NotificationsDlqUrl",
        "AlertsTopicArn",
        "OrderCompletedTopicArn",
        "DashboardName",
    }
    assert outputs["OrdersTableName"] == f"{PREFIX}-orders"


def test_an_order_goes_through_it_with_the_rights_of_its_roles_alone(deployed: Deployed) -> None:
    assert deployed.place().status == 202
    deployed.wait_until_all_are_stored()
    logs = deployed.emulator.client("logs")

    def announced() -> bool:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{PREFIX}-notification")["events"]
        return any(deployed.accepted[0] in event["message"] for event in events if "order_notified" in event["message"])

    wait_for("the announcement", announced)


def test_nothing_is_published_while_nothing_that_is_in_a_version_changes(deployed: Deployed) -> None:
    deployed.stack.deploy(LogRetentionDays="7", ApiThrottlingBurstLimit="999")
    assert deployed.stack.description()["StackStatus"] == "UPDATE_COMPLETE"
    assert deployed.versions() == {function: ["1"] for function in FUNCTIONS}


def test_a_changed_setting_is_published_where_it_changes(deployed: Deployed) -> None:
    deployed.stack.deploy(ProcessingTimeoutSeconds="10")
    assert deployed.versions() == {**{function: ["1"] for function in FUNCTIONS}, "processing": ["1", "2"]}
    assert deployed.live("processing")["Timeout"] == 10
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == "60"


def test_an_update_of_code_and_settings_loses_no_order_that_comes_meanwhile(deployed: Deployed, tmp_path: Path) -> None:
    former = {function: deployed.live(function)["CodeSha256"] for function in FUNCTIONS}
    deployed.stack.take_code(other_code(tmp_path / "second.zip"))

    with deployed.orders_flowing() as answers:
        deployed.stack.deploy(ProcessingTimeoutSeconds="15", LogRetentionDays="14")

    assert Counter(answer.status for answer in answers) == {202: len(answers)}
    deployed.wait_until_all_are_stored()
    for function in FUNCTIONS:
        assert deployed.live(function)["CodeSha256"] != former[function], f"{function} serves the new code"
    assert deployed.live("processing")["Timeout"] == 15
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == "90"


def test_versions_stay_to_go_back_to(deployed: Deployed) -> None:
    assert deployed.versions() == {**{function: ["1", "2"] for function in FUNCTIONS}, "processing": ["1", "2", "3"]}


def test_a_failing_update_is_rolled_back_with_all_orders(deployed: Deployed, tmp_path: Path) -> None:
    former = {function: deployed.live(function) for function in FUNCTIONS}
    visibility = deployed.queue_attributes("orders")["VisibilityTimeout"]
    sound = deployed.stack.template.read_text()
    # Lambda refuses to publish twice what has not changed: a failure after everything else has been updated.
    failing = "\n  Failing:\n    Type: AWS::Lambda::Version\n    DependsOn: [{}]\n    Properties: {}\n".format(
        ", ".join(f"{function.capitalize()}Alias" for function in FUNCTIONS),
        "{FunctionName: !Ref SubmissionFunction}",
    )
    deployed.stack.template.write_text(sound.replace("\nOutputs:", f"{failing}\nOutputs:", 1))
    deployed.stack.take_code(other_code(tmp_path / "third.zip"))

    with deployed.orders_flowing() as answers, pytest.raises(StackError):
        deployed.stack.deploy(ProcessingTimeoutSeconds="30")

    assert deployed.stack.description()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert Counter(answer.status for answer in answers) == {202: len(answers)}
    deployed.wait_until_all_are_stored()
    for function in FUNCTIONS:
        live = deployed.live(function)
        assert (live["Version"], live["CodeSha256"]) == (former[function]["Version"], former[function]["CodeSha256"])
    assert deployed.queue_attributes("orders")["VisibilityTimeout"] == visibility

    deployed.stack.template.write_text(sound)
    deployed.stack.deploy(ProcessingTimeoutSeconds="30")
    assert deployed.stack.description()["StackStatus"] == "UPDATE_COMPLETE", "and can be tried again"


def test_unprotected_orders_go_with_their_stack(deployed: Deployed, tmp_path: Path) -> None:
    stack = Stack("throwaway", tmp_path / "stack", deployed.emulator.environment)
    stack.take_code(lambda_zip("local"))
    stack.deploy(Environment="staging", NotificationEmail="operations@example.com")
    tables = deployed.emulator.client("dynamodb")
    assert "order-processing-staging-orders" in tables.list_tables()["TableNames"]

    stack.delete()

    assert tables.list_tables()["TableNames"] == [f"{PREFIX}-orders"]
    queues = deployed.emulator.client("sqs").list_queues(QueueNamePrefix="order-processing-staging")
    assert queues.get("QueueUrls", []) == []


def test_protected_orders_stay_when_the_stack_is_deleted(deployed: Deployed) -> None:
    deployed.stack.deploy(DeletionProtectionEnabled="true")
    dynamodb = deployed.emulator.client("dynamodb")
    assert dynamodb.describe_table(TableName=f"{PREFIX}-orders")["Table"]["DeletionProtectionEnabled"]
    sqs = deployed.emulator.client("sqs")
    failed = json.dumps({"an order": "that waits for a person"})
    sqs.send_message(QueueUrl=deployed.stack.outputs()["OrdersDlqUrl"], MessageBody=failed)

    deployed.stack.delete()

    assert Counter(deployed.stored()) == dict.fromkeys(deployed.accepted, 1)
    assert deployed.queue_attributes("orders-dlq")["ApproximateNumberOfMessages"] == "1"
    for queue in ("orders", "orders-dlq"):
        assert "DenyInsecureTransport" in deployed.queue_attributes(queue)["Policy"]
    queues = [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]]
    assert sorted(queues) == [f"{PREFIX}-orders", f"{PREFIX}-orders-dlq"], "the rest is gone"
    assert deployed.emulator.client("lambda").list_functions()["Functions"] == []


def test_deleted_stack_is_deployed_again_with_its_orders(deployed: Deployed) -> None:
    """The runbook's procedure, by API instead of CLI."""
    stack, cloudformation = deployed.stack, deployed.emulator.client("cloudformation")
    parameters = {"NotificationEmail": "operations@example.com", "DeletionProtectionEnabled": "true"}
    stacks = cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    [former] = [each["StackId"] for each in stacks if each["StackName"] == stack.name]
    template = cloudformation.get_template(StackName=former, TemplateStage="Processed")["TemplateBody"]
    with pytest.raises(StackError):
        stack.deploy(**parameters)
    assert "already exists" in str(cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"])
    stack.delete()
    assert deployed.queue_attributes("orders-dlq")["ApproximateNumberOfMessages"] == "1", (
        "a failed attempt loses nothing"
    )

    kept = {name: template["Resources"][name] for name in ("OrdersTable", "OrdersQueue", "OrdersDlq")}
    sections = {name: template[name] for name in ("Parameters", "Conditions")}
    queue_url = deployed.emulator.client("sqs").get_queue_url
    identifiers = {
        "OrdersTable": {"TableName": f"{PREFIX}-orders"},
        "OrdersQueue": {"QueueUrl": queue_url(QueueName=f"{PREFIX}-orders")["QueueUrl"]},
        "OrdersDlq": {"QueueUrl": queue_url(QueueName=f"{PREFIX}-orders-dlq")["QueueUrl"]},
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
    assert deployed.queue_attributes("orders-dlq")["ApproximateNumberOfMessages"] == "1"
    deployed.api = DeployedApi(stack.outputs()["ApiEndpoint"])
    assert deployed.place().status == 202
    deployed.wait_until_all_are_stored()
