"""Each command of docs/runbook.md does what its section says, on the deployed stack.

The functions decorated with `before` prepare a section and verify its effect. NOT_RUN states why a command is not run;
only the syntax of such a command is checked.
"""

import json
import shlex
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from local_stack.environment import tool_environment
from support.deployment.stack import DeployedStack
from support.documented_commands import (
    RUNBOOK,
    DocumentReader,
    Shell,
    require_documented,
    sections_with_commands,
    write_command,
)
from support.machine.orders_command import OrdersCommand
from support.machine.preloaded_commands import preloaded
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

SECTIONS = sections_with_commands(RUNBOOK)
REPLACED = {"PREFIX=order-processing-prod": "PREFIX=order-processing-dev", "--interval 60": "--interval 1"}
DEPLOY = (
    "aws cloudformation deploy --template-file dist/order-processing.yaml --stack-name $PREFIX --s3-bucket <bucket> "
    "--capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides DeletionProtectionEnabled="
)
NOT_RUN = {
    **dict.fromkeys(("aws ec2 get-console-output", "aws ssm start-session", "sudo tail"), "no instance boots here"),
    "aws autoscaling describe-scaling-activities": "the emulator records none",
    "aws sns confirm-subscription": "the emulator sends no token",
    "aws kms rotate-key-on-demand": "the emulator does not implement it",
    "git checkout": "it would change the tested files",
    "make build": "test_build_lambda.py builds the package",
    "terraform": "it takes minutes; test_backend_apply.py and test_frontend_apply.py apply and destroy both",
    **dict.fromkeys(
        (
            *(f"{DEPLOY}true", "aws cloudformation delete-stack", "aws cloudformation wait", "DELETED="),
            *(f"aws cloudformation {verb}-change-set" for verb in ("create", "describe", "execute")),
            "aws cloudformation get-template",
        ),
        "test_cloudformation_update.py protects, deletes and imports a stack of its own",
    ),
}
EXPECTED = {
    **dict.fromkeys(("export", "logged()", "mkdir", "aws dynamodb wait", "aws dynamodb scan"), ""),
    **dict.fromkeys(("aws sqs set-queue-attributes", "aws kms enable-key-rotation", "aws dynamodb delete-item"), ""),
    'aws dynamodb get-item --table-name $PREFIX-orders --key "$ORDER" > <new file>': "",
    "aws apigatewayv2 delete-route-settings": "",
    "aws cloudformation deploy": "No changes to deploy",
    "aws kms get-key-rotation-status": '"KeyRotationEnabled": true',
    "aws lambda list-event-source-mappings --function-name $PREFIX-processing:live": r"Enabled\t",
    "MAPPING=": "^[0-9a-f-]{36}$",
    "curl": "422[^$]*VALIDATION_FAILED",
    "orders pause": "processing is disabled",
    "orders resume": "processing is enabled",
    "orders watch": r"accepted=\d+ .*waiting=\d+ .*dead_letters=\d+",
    "orders dlq redrive --notifications": "0 messages to redrive",
    "orders dlq drop --notifications": "0 messages to drop",
    "orders dlq redrive --reason": "0 messages to redrive",
}
EMPTY = "the dead-letter queue is empty"


@dataclass(kw_only=True)
class Engineer(DocumentReader):
    """Runs the runbook's commands on a deployed stack."""

    stack: DeployedStack
    directory: Path

    def client(self, service: str) -> Any:
        return self.stack.client(service)


Preparation = Callable[[Engineer], AbstractContextManager[None]]
PREPARED: dict[str, Preparation] = {}


def before(*titles: str) -> Callable[[Callable[[Engineer], Iterator[None]]], Preparation]:
    """Register a context manager for the commands of these sections."""

    def register(function: Callable[[Engineer], Iterator[None]]) -> Preparation:
        prepared = contextmanager(function)
        PREPARED.update(dict.fromkeys(titles, prepared))
        return prepared

    return register


def failed_order_id(stack: DeployedStack) -> str:
    """Place an order whose first delivery fails; return its ID once it is stored."""
    with stack.quick_redelivery():
        with stack.permission_removed("processing", "dynamodb:PartiQLInsert"):
            order_id = str(stack.api.post(SAMPLE_BODY).json()["order_id"])
            wait_for("the processing failure", lambda: stack.events("processing", "order_failed", order_id))
        stack.wait_until_processed(order_id)
    return order_id


@before("The first five minutes")
def active_alarm(engineer: Engineer) -> Iterator[None]:
    name, cloudwatch = f"{engineer.stack.prefix}-of-the-runbook", engineer.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        **{"AlarmName": name, "Namespace": "runbook", "MetricName": "nothing", "Statistic": "Sum", "Period": 60},
        **{"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0},
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    engineer.expected |= {"aws cloudwatch describe-alarms": f"^{name}\t", "orders dlq list": EMPTY}
    yield
    cloudwatch.delete_alarms(AlarmNames=[name])


@before("Unhealthy hosts", "Storefront 5xx", "Load balancer 5xx")
def auto_scaling_group(engineer: Engineer) -> Iterator[None]:
    name, scaling = f"{engineer.stack.prefix}-storefront", engineer.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12345678", InstanceType="t4g.micro")
    scaling.create_auto_scaling_group(
        **{"AutoScalingGroupName": name, "LaunchConfigurationName": name, "Tags": [{"Key": "Name", "Value": name}]},
        **{"MinSize": 1, "MaxSize": 3, "DesiredCapacity": 2},
        AvailabilityZones=[f"{engineer.stack.local.settings.region}a"],
    )
    engineer.filled_in["instance"] = "i-0123456789abcdef0"
    yield
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    scaling.delete_launch_configuration(LaunchConfigurationName=name)


@before("API 5xx", "API 4xx", "API flood", "Orders flood", "API slow")
def access_log_lines(engineer: Engineer) -> Iterator[None]:
    """Write access log lines as API Gateway does, because the emulator writes none."""
    logs, group = engineer.client("logs"), f"/aws/vendedlogs/apigateway/{engineer.stack.prefix}-orders"
    stream = {"logGroupName": group, "logStreamName": f"runbook-{uuid.uuid4().hex}"}
    logs.create_log_stream(**stream)
    lines = (
        {"status": "202", "response_latency_ms": "47", "source_ip": "203.0.113.9"},
        {"status": "429", "response_latency_ms": "1", "source_ip": "203.0.113.9"},
        {"status": "503", "response_latency_ms": "4711", "route": "POST /orders"},
    )
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": json.dumps(line, separators=(",", ":"))} for line in lines]
    logs.put_log_events(**stream, logEvents=events)
    yield
    logs.delete_log_stream(**stream)


@before("Confirming the alarms' subscriptions")
def email_subscription(engineer: Engineer) -> Iterator[None]:
    sns, topic = engineer.client("sns"), engineer.stack.outputs["alerts_topic_arn"]

    def by_endpoint() -> dict[str, str]:
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] == "email"}

    [subscription] = by_endpoint().values()
    engineer.filled_in |= {"subscription": subscription, "address": "again@example.com", "token": "2336412f"}
    yield
    sns.unsubscribe(SubscriptionArn=by_endpoint()["again@example.com"])


@before("Function throttles")
def reserved_concurrency(engineer: Engineer) -> Iterator[None]:
    functions, name = engineer.client("lambda"), f"{engineer.stack.prefix}-processing"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=10)
    yield
    functions.delete_function_concurrency(FunctionName=name)


@before("Processing failing")
def failed_order(engineer: Engineer) -> Iterator[None]:
    engineer.filled_in["order_id"] = failed_order_id(engineer.stack)
    engineer.expected["orders trace"] = "order_failed[^$]*order_stored"
    yield


@before("Orders DLQ")
def twelve_dead_letters(engineer: Engineer) -> Iterator[None]:
    """Send twelve dead letters: one stored order, which can be traced, and eleven orders that are not stored."""
    # The command reads the log from a minute before the first dead letter was sent.
    order_id = failed_order_id(engineer.stack)
    stored = engineer.stack.api.get(order_id).json()
    order = {name: stored[name] for name in ("customer_id", "product_id", "quantity", "order_date")}
    dead = {**engineer.stack.message(stored["customer_id"]), "order_id": order_id, "order": order}
    others = [engineer.stack.message("runbook") for _ in range(11)]
    engineer.stack.send_to_queue(dead, *others, queue="orders_dlq_url")
    engineer.filled_in["order_id"] = order_id
    engineer.expected |= {
        "orders dlq list": "11 .*no reason was logged[^$]*1 .*AccessDenied",
        "orders dlq redrive --dry-run": "would redrive 12 messages .*nothing was done",
        "orders dlq redrive --limit 10": "10 messages redriven",
        "orders dlq redrive": "2 messages redriven",
    }
    yield


@before("Notifications DLQ")
def announced_order(engineer: Engineer) -> Iterator[None]:
    engineer.filled_in["order_id"] = engineer.stack.place()
    engineer.expected["orders notify"] = "notified 1 order"
    yield


@before("A poison order")
def dropped_dead_letter(engineer: Engineer) -> Iterator[None]:
    # A valid order does not return to the dead-letter queue after the redrive.
    message = engineer.stack.message("runbook")
    engineer.stack.send_to_queue(message, queue="orders_dlq_url")
    [event, *_] = engineer.stack.events("processing", "order_failed")
    engineer.filled_in |= {"reason": "no reason was logged", "message_id": event["message_id"]}
    engineer.expected |= {
        'orders dlq drop --reason "<reason>" --dry-run': "would drop 1 message .*nothing was done",
        'orders dlq drop --reason "<reason>" --to <new file>': "1 message dropped; the file is ",
        "orders dlq redrive --from": "1 message redriven",
    }
    yield
    engineer.stack.wait_until_processed(message["order_id"])


@before("A broken deployment")
def broken_version(engineer: Engineer) -> Iterator[None]:
    stack, module = engineer.stack, "orders/handlers/processing.py"
    broken = stack.publish("processing", module, "raise RuntimeError\n".__add__)
    working = stack.serve("processing", broken)
    engineer.filled_in |= {"version before": working, "previous release": "v1.0.0"}
    engineer.expected |= {"orders dlq list": EMPTY, "aws lambda get-function-configuration": "^Active$"}
    yield
    stack.publish("processing", module, str)
    assert stack.serve("processing", working) == working
    engineer.stack.place()


@before("Pausing the processing", "DynamoDB throttles")
def resumed_processing(engineer: Engineer) -> Iterator[None]:
    mapping = engineer.stack.mapping("processing")
    yield
    wait_for("processing", lambda: engineer.stack.mapping("processing")["State"] == "Enabled")
    assert engineer.stack.mapping("processing")["ScalingConfig"] == mapping["ScalingConfig"]
    engineer.stack.place()


@before("Region trouble")
def restored_retention(engineer: Engineer) -> Iterator[None]:
    queue = {"QueueUrl": engineer.stack.outputs["orders_queue_url"]}

    def retention() -> str:
        name = "MessageRetentionPeriod"
        return str(engineer.client("sqs").get_queue_attributes(**queue, AttributeNames=[name])["Attributes"][name])

    assert retention() == "345600", "the runbook states this value"
    engineer.filled_in["other region"] = "eu-west-1"
    yield
    assert retention() == str(14 * 24 * 60 * 60)
    engineer.client("sqs").set_queue_attributes(**queue, Attributes={"MessageRetentionPeriod": "345600"})


@before("Restoring the table")
def lost_and_changed_orders(engineer: Engineer) -> Iterator[None]:
    dynamodb, table = engineer.client("dynamodb"), engineer.stack.outputs["orders_table_name"]
    lost, changed = engineer.stack.place(), engineer.stack.place()
    items = {order_id: engineer.stack.item(order_id) for order_id in (lost, changed)}
    filters = engineer.stack.mapping("notification")["FilterCriteria"]

    def lose() -> None:
        dynamodb.delete_item(TableName=table, Key={"order_id": {"S": lost}})
        dynamodb.put_item(TableName=table, Item={**items[changed], "quantity": {"N": "7"}})

    engineer.after["aws dynamodb wait"] = lose
    engineer.filled_in |= {"moment before it happened": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "order_id": changed}
    dry_run = "the table holds other content[^$]*1 order would be restored; nothing was done"
    engineer.expected |= {
        "orders restore $PREFIX-orders-restored": "1 order restored",
        "orders restore $PREFIX-orders-restored --dry-run": dry_run,
    }
    with resumed_processing(engineer):
        yield
    assert {order_id: engineer.stack.item(order_id) for order_id in items} == items
    wait_for("the mapping", lambda: engineer.stack.mapping("notification")["State"] == "Enabled")
    assert engineer.stack.mapping("notification")["FilterCriteria"] == filters
    announced = engineer.stack.place()
    wait_for("announcements", lambda: engineer.stack.events("notification", "order_notified", announced))


@before("Erasing a customer")
def order_of_a_customer(engineer: Engineer) -> Iterator[None]:
    customer = f"runbook-{uuid.uuid4().hex[:8]}"
    message = engineer.stack.message(customer)
    engineer.stack.send_to_queue(message)
    engineer.stack.wait_until_processed(message["order_id"])
    engineer.filled_in["customer_id"] = customer
    engineer.expected |= {
        "orders erase --customer <customer_id> --dry-run": "would delete 1 stored order; nothing was done",
        "orders erase --customer <customer_id> --to": "1 order deleted; the receipt is ",
    }
    yield
    assert engineer.stack.order_ids_of(customer) == []


def package_stack(engineer: Engineer) -> None:
    """Write the template that the README's `package` command writes, and fill in its bucket."""
    template = engineer.client("cloudformation").get_template(StackName=engineer.stack.prefix)["TemplateBody"]
    (engineer.directory / "dist").mkdir()
    (engineer.directory / "dist" / "order-processing.yaml").write_text(json.dumps(template))
    engineer.filled_in["bucket"] = f"{engineer.stack.prefix}-artifacts"


@before("The table was deleted")
def deleted_table(engineer: Engineer) -> Iterator[None]:
    """Delete a table that the test creates. PREFIX refers to it until the commands need the deployed table."""
    dynamodb, table, item = engineer.client("dynamodb"), "runbook-orders", {"order_id": {"S": "one"}}
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=table, Item=item)
    backup = dynamodb.create_backup(TableName=table, BackupName="as-dynamodb-makes-it")["BackupDetails"]["BackupArn"]
    dynamodb.delete_table(TableName=table)
    engineer.filled_in["backup"] = backup
    package_stack(engineer)
    engineer.shell.run("PREFIX=runbook")
    deployed = f"PREFIX={engineer.stack.prefix}"
    engineer.after["aws dynamodb update-continuous-backups"] = lambda: engineer.shell.run(deployed)
    yield
    restored = dynamodb.describe_table(TableName=table)["Table"]
    assert restored["DeletionProtectionEnabled"]
    assert restored["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert dynamodb.scan(TableName=table)["Items"] == [item]
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)
    dynamodb.delete_backup(BackupArn=backup)


@before("Rotating keys and secrets")
def kms_key(engineer: Engineer) -> Iterator[None]:
    engineer.filled_in["key"] = engineer.client("kms").create_key()["KeyMetadata"]["KeyId"]
    yield


@before("Draining")
def removed_throttle(engineer: Engineer) -> Iterator[None]:
    # The emulator stores the throttle but does not apply it, so the request still gets its 422.
    engineer.expected["aws apigatewayv2 update-stage"] = r'"ThrottlingBurstLimit": 0,\s*"ThrottlingRateLimit": 0'
    yield
    stage = {"ApiId": engineer.shell.run("echo $API_ID")[1], "StageName": "$default"}
    assert "POST /orders" not in engineer.client("apigatewayv2").get_stage(**stage)["RouteSettings"]


@before("Tearing down without losing data")
def exported_orders(engineer: Engineer) -> Iterator[None]:
    dynamodb, table = engineer.client("dynamodb"), f"{engineer.stack.prefix}-orders"
    kept = engineer.stack.place()
    package_stack(engineer)
    yield
    assert kept in Path(engineer.filled_in["new file"]).read_text()
    for backup in dynamodb.list_backups(TableName=table)["BackupSummaries"]:
        dynamodb.delete_backup(BackupArn=backup["BackupArn"])


@before("Deploying a deleted stack again")
def deleted_stack(engineer: Engineer) -> Iterator[None]:
    engineer.filled_in["address"] = "operations@example.com"
    engineer.replaced["> dist/kept.json"] = "> /dev/null && echo '{}' > dist/kept.json"
    yield


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> DeployedStack:
    """The CloudFormation stack with empty dead-letter queues and one logged failure per function."""
    stack = DeployedStack(local_stack)
    orders = OrdersCommand(local_stack, tmp_path_factory.mktemp("aside"))
    orders.run("dlq", "drop", "--kind", "all", "--yes", "--to", "orders.jsonl")
    orders.run("dlq", "drop", "--notifications", "--yes", "--to", "notifications.jsonl")
    with stack.permission_removed("submission", "sqs:SendMessage"):
        assert stack.api.post(SAMPLE_BODY).status == 503
    with stack.permission_removed("notification", "sns:Publish"):
        order_id = failed_order_id(stack)
        wait_for("the notification failure", lambda: stack.events("notification", "notification_failed"))
    with stack.permission_removed("status", "dynamodb:GetItem"):
        assert stack.api.get(order_id).status == 503
    wait_for("the announcement", lambda: stack.events("notification", "order_notified", order_id))
    return stack


@pytest.fixture(scope="module")
def commands(stack: DeployedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with preloaded `aws` and `orders` commands that use the stack and need no confirmation."""
    directory = tmp_path_factory.mktemp("commands")
    stack_file = shlex.quote(str(stack.local.settings.local_directory / "stack.json"))
    with preloaded(tmp_path_factory.mktemp("preloaded")) as command:
        write_command(
            directory / "aws",
            f'if [ "$ONLY_CHECK" ]; then exec {command("aws-check")} "$@"; fi',
            # AWS CLI version 1 ignores AWS_ENDPOINT_URL for some services.
            f'exec {command("aws")} --endpoint-url "$AWS_ENDPOINT_URL" "$@"',
        )
        write_command(
            directory / "orders",
            'case "$1 $2" in "dlq redrive" | "dlq drop" | notify* | restore* | erase* | submit*) set -- "$@" --yes ;; esac',
            f'exec {command("orders")} "$@" --stack-file {stack_file}',
        )
        yield directory


@pytest.fixture
def engineer(stack: DeployedStack, commands: Path, tmp_path: Path) -> Iterator[Engineer]:
    """An engineer whose shell has run the first block of the runbook."""
    environment = tool_environment(stack.local.connection)
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    directory = tmp_path / "project"
    directory.mkdir()
    with Shell(directory, environment) as shell:
        engineer = Engineer(
            shell=shell,
            filled_in={"new file": str(tmp_path / "file.jsonl")},
            replaced=dict(REPLACED),
            expected=dict(EXPECTED),
            not_run=dict(NOT_RUN),
            stack=stack,
            directory=directory,
        )
        engineer.run_section(SECTIONS["The first five minutes"][:4])
        yield engineer


@pytest.mark.parametrize("title", SECTIONS)
def test_runbook_commands_do_what_their_section_says(engineer: Engineer, title: str) -> None:
    engineer.run_section(SECTIONS[title], PREPARED.get(title))


def test_runbook_tables_name_existing_sections_and_commands() -> None:
    require_documented(SECTIONS, PREPARED, NOT_RUN, EXPECTED)
