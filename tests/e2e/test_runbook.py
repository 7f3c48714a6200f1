"""Each command of docs/runbook.md does what its section says, on the deployed stack.

The functions marked with `before` prepare a section and verify its effect. NOT_RUN states why a command is not run;
such a command is only checked for its spelling.
"""

import json
import shlex
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from local_stack.environment import tool_environment
from support.deployment.package import changed_zip, lambda_zip
from support.deployment.stack import DeployedStack
from support.machine.orders_command import OrdersCommand
from support.machine.preloaded_commands import preloaded
from support.machine.shell import DocumentReader, Shell, in_one_line, write_command
from support.repository.documented_commands import RUNBOOK, sections_with_commands
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
    "orders dlq redrive --notifications": "there is nothing to redrive",
    "orders dlq drop --notifications": "there is nothing to drop",
    "orders dlq redrive --reason": "there is nothing to redrive",
}
EMPTY = "the dead-letter queue is empty"


@dataclass(kw_only=True)
class Engineer(DocumentReader):
    """Works through the runbook on a deployed stack."""

    stack: DeployedStack
    directory: Path

    def client(self, service: str) -> Any:
        return self.stack.client(service)


Preparation = Callable[[Engineer], AbstractContextManager[None]]
PREPARED: dict[str, Preparation] = {}


def before(*titles: str) -> Callable[[Callable[[Engineer], Iterator[None]]], Preparation]:
    """Run the context around the commands of these sections."""

    def register(function: Callable[[Engineer], Iterator[None]]) -> Preparation:
        prepared = contextmanager(function)
        PREPARED.update(dict.fromkeys(titles, prepared))
        return prepared

    return register


def mapping_of(person: Engineer, function: str) -> dict[str, Any]:
    name = f"{person.stack.prefix}-{function}:live"
    [mapping] = person.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    found: dict[str, Any] = person.client("lambda").get_event_source_mapping(UUID=mapping["UUID"])
    return found


def bury(person: Engineer, message: dict[str, Any]) -> None:
    """Send a message to the orders' dead-letter queue."""
    person.client("sqs").send_message(QueueUrl=person.stack.outputs["orders_dlq_url"], MessageBody=json.dumps(message))


def place(person: Engineer) -> str:
    """Place an order; return its ID once it is stored."""
    order_id = str(person.stack.api.post(person.stack.sample_body).json()["order_id"])
    person.stack.wait_until_processed(order_id)
    return order_id


def failed_order_id(person: Engineer) -> str:
    return str(person.stack.events("processing", "order_failed")[-1]["order_id"])


@before("The first five minutes")
def an_alarm_is_on(person: Engineer) -> Iterator[None]:
    name, cloudwatch = f"{person.stack.prefix}-of-the-runbook", person.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        **{"AlarmName": name, "Namespace": "runbook", "MetricName": "nothing", "Statistic": "Sum", "Period": 60},
        **{"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0},
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    person.expected |= {"aws cloudwatch describe-alarms": f"^{name}\t", "orders dlq list": EMPTY}
    yield
    cloudwatch.delete_alarms(AlarmNames=[name])


@before("Unhealthy hosts", "Storefront 5xx", "Load balancer 5xx")
def web_servers(person: Engineer) -> Iterator[None]:
    name, scaling = f"{person.stack.prefix}-storefront", person.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12345678", InstanceType="t4g.micro")
    scaling.create_auto_scaling_group(
        **{"AutoScalingGroupName": name, "LaunchConfigurationName": name, "Tags": [{"Key": "Name", "Value": name}]},
        **{"MinSize": 1, "MaxSize": 3, "DesiredCapacity": 2},
        AvailabilityZones=[f"{person.stack.local.settings.region}a"],
    )
    person.filled_in["instance"] = "i-0123456789abcdef0"
    yield
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    scaling.delete_launch_configuration(LaunchConfigurationName=name)


@before("API 5xx", "API 4xx", "API flood", "Orders flood", "API slow")
def requests_in_the_access_log(person: Engineer) -> Iterator[None]:
    """Write the access log that API Gateway writes on AWS; the emulator has none."""
    logs, group = person.client("logs"), f"/aws/vendedlogs/apigateway/{person.stack.prefix}-orders"
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
def subscriptions(person: Engineer) -> Iterator[None]:
    sns, topic = person.client("sns"), person.stack.outputs["alerts_topic_arn"]

    def by_endpoint() -> dict[str, str]:
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] == "email"}

    [subscription] = by_endpoint().values()
    person.filled_in |= {"subscription": subscription, "address": "again@example.com", "token": "2336412f"}
    yield
    sns.unsubscribe(SubscriptionArn=by_endpoint()["again@example.com"])


@before("Function throttles")
def executions_are_reserved(person: Engineer) -> Iterator[None]:
    functions, name = person.client("lambda"), f"{person.stack.prefix}-processing"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=10)
    yield
    functions.delete_function_concurrency(FunctionName=name)


@before("Processing failing")
def an_order_failed_once(person: Engineer) -> Iterator[None]:
    person.filled_in["order_id"] = failed_order_id(person)
    person.expected["orders trace"] = "order_failed[^$]*order_stored"
    yield


@before("Orders DLQ")
def orders_in_the_dead_letter_queue(person: Engineer) -> Iterator[None]:
    """Bury a stored order, which can be traced, and eleven that are not stored."""
    order_id = failed_order_id(person)
    stored = person.stack.api.get(order_id).json()
    order = {name: stored[name] for name in ("customer_id", "product_id", "quantity", "order_date")}
    bury(person, {**person.stack.message(stored["customer_id"]), "order_id": order_id, "order": order})
    for _ in range(11):
        bury(person, person.stack.message("runbook"))
    person.filled_in["order_id"] = order_id
    person.expected |= {
        "orders dlq list": "11 .*nothing was logged[^$]*1 .*AccessDenied",
        "orders dlq redrive --dry-run": "would redrive 12 messages .*nothing was done",
        "orders dlq redrive --limit 10": "10 messages redriven",
        "orders dlq redrive": "2 messages redriven",
    }
    yield


@before("Notifications DLQ")
def an_order_is_announced(person: Engineer) -> Iterator[None]:
    person.filled_in["order_id"] = place(person)
    person.expected["orders notify"] = "notified 1 order"
    yield


@before("A poison order")
def an_order_resembles_poison(person: Engineer) -> Iterator[None]:
    # A valid order, which does not return to the dead-letter queue after it is redriven.
    message = person.stack.message("runbook")
    bury(person, message)
    [event, *_] = person.stack.events("processing", "order_failed")
    person.filled_in |= {"reason": "nothing was logged", "message_id": event["message_id"]}
    person.expected |= {
        'orders dlq drop --reason "<reason>" --dry-run': "would drop 1 message .*nothing was done",
        'orders dlq drop --reason "<reason>" --to <new file>': "1 message dropped; the file is ",
        "orders dlq redrive --from": "1 message redriven",
    }
    yield
    person.stack.wait_until_processed(message["order_id"])


@before("A broken deployment")
def a_broken_version_serves(person: Engineer) -> Iterator[None]:
    functions, name = person.client("lambda"), f"{person.stack.prefix}-processing"
    more = "raise RuntimeError('broken by the test')\n"
    code = changed_zip(lambda_zip("local"), "orders/handlers/processing.py", more=more)

    def live() -> str:
        return str(functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"])

    former = live()
    broken = functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=broken)
    person.filled_in |= {"version before": former, "former release": "v1.0.0"}
    person.expected |= {"orders dlq list": EMPTY, "aws lambda get-function-configuration": "^Active$"}
    try:
        yield
        assert live() == former
        place(person)
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=former)
        functions.update_function_code(FunctionName=name, ZipFile=lambda_zip("local").read_bytes())


@before("Pausing the processing", "DynamoDB throttles")
def processing_comes_back(person: Engineer) -> Iterator[None]:
    mapping = mapping_of(person, "processing")
    try:
        yield
    except BaseException:
        person.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        raise
    wait_for("processing", lambda: mapping_of(person, "processing")["State"] == "Enabled")
    assert mapping_of(person, "processing")["ScalingConfig"] == mapping["ScalingConfig"]
    place(person)


@before("Region trouble")
def retention_is_put_back(person: Engineer) -> Iterator[None]:
    queue = {"QueueUrl": person.stack.outputs["orders_queue_url"]}

    def retention() -> str:
        name = "MessageRetentionPeriod"
        return str(person.client("sqs").get_queue_attributes(**queue, AttributeNames=[name])["Attributes"][name])

    assert retention() == "345600", "the runbook states this value"
    person.filled_in["other region"] = "eu-west-1"
    yield
    assert retention() == str(14 * 24 * 60 * 60)
    person.client("sqs").set_queue_attributes(**queue, Attributes={"MessageRetentionPeriod": "345600"})


@before("Restoring the table")
def orders_will_be_lost(person: Engineer) -> Iterator[None]:
    dynamodb, table = person.client("dynamodb"), person.stack.outputs["orders_table_name"]
    lost, changed = place(person), place(person)
    items = {order_id: person.stack.item(order_id) for order_id in (lost, changed)}
    filters = mapping_of(person, "notification")["FilterCriteria"]

    def lose() -> None:
        dynamodb.delete_item(TableName=table, Key={"order_id": {"S": lost}})
        dynamodb.put_item(TableName=table, Item={**items[changed], "quantity": {"N": "7"}})

    person.after["aws dynamodb wait"] = lose
    person.filled_in |= {"moment before it happened": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "order_id": changed}
    dry_run = "the table holds other content[^$]*1 order would be restored; nothing was done"
    person.expected |= {
        "orders restore $PREFIX-orders-restored": "1 order restored",
        "orders restore $PREFIX-orders-restored --dry-run": dry_run,
    }
    with processing_comes_back(person):
        yield
    assert {order_id: person.stack.item(order_id) for order_id in items} == items
    wait_for("the mapping", lambda: mapping_of(person, "notification")["State"] == "Enabled")
    assert mapping_of(person, "notification")["FilterCriteria"] == filters
    announced = place(person)
    wait_for("announcements", lambda: person.stack.events("notification", "order_notified", announced))


def package_stack(person: Engineer) -> None:
    """Write the template that the README's `package` command writes, and fill in its bucket."""
    (person.directory / "dist").mkdir()
    s3, bucket = person.client("s3"), f"{person.stack.prefix}-artifacts"
    templates = [each for each in s3.list_objects_v2(Bucket=bucket)["Contents"] if each["Key"].endswith(".template")]
    newest = max(templates, key=lambda each: each["LastModified"])
    packaged = s3.get_object(Bucket=bucket, Key=newest["Key"])["Body"].read()
    (person.directory / "dist" / "order-processing.yaml").write_bytes(packaged)
    person.filled_in["bucket"] = bucket


@before("The table is gone")
def a_table_is_gone(person: Engineer) -> Iterator[None]:
    """Delete a table of the test, and set PREFIX to it until the commands concern the deployed one."""
    dynamodb, table, item = person.client("dynamodb"), "runbook-orders", {"order_id": {"S": "one"}}
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=table, Item=item)
    backup = dynamodb.create_backup(TableName=table, BackupName="as-dynamodb-makes-it")["BackupDetails"]["BackupArn"]
    dynamodb.delete_table(TableName=table)
    person.filled_in["backup"] = backup
    package_stack(person)
    person.shell.run("PREFIX=runbook")
    person.after["aws dynamodb update-continuous-backups"] = lambda: person.shell.run(f"PREFIX={person.stack.prefix}")
    yield
    restored = dynamodb.describe_table(TableName=table)["Table"]
    assert restored["DeletionProtectionEnabled"]
    assert restored["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert dynamodb.scan(TableName=table)["Items"] == [item]
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)
    dynamodb.delete_backup(BackupArn=backup)


@before("Rotating keys and secrets")
def a_key(person: Engineer) -> Iterator[None]:
    person.filled_in["key"] = person.client("kms").create_key()["KeyMetadata"]["KeyId"]
    yield


@before("Draining")
def customers_come_back(person: Engineer) -> Iterator[None]:
    gateway = person.client("apigatewayv2")
    [api] = [each for each in gateway.get_apis()["Items"] if each["Name"] == f"{person.stack.prefix}-orders"]
    stage = {"ApiId": api["ApiId"], "StageName": "$default"}

    def require_no_admission() -> None:
        limits = gateway.get_stage(**stage)["RouteSettings"]["POST /orders"]
        assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (0, 0)

    # The emulator stores the throttle but does not apply it, so the request still gets its 422.
    person.after["aws apigatewayv2 update-stage"] = require_no_admission
    yield
    assert "POST /orders" not in gateway.get_stage(**stage)["RouteSettings"]


@before("Tearing down without losing data")
def orders_are_kept(person: Engineer) -> Iterator[None]:
    dynamodb, table = person.client("dynamodb"), f"{person.stack.prefix}-orders"
    kept = place(person)
    package_stack(person)
    yield
    assert kept in Path(person.filled_in["new file"]).read_text()
    for backup in dynamodb.list_backups(TableName=table)["BackupSummaries"]:
        dynamodb.delete_backup(BackupArn=backup["BackupArn"])


@before("Deploying a deleted stack again")
def a_deleted_stack(person: Engineer) -> Iterator[None]:
    person.filled_in["address"] = "operations@example.com"
    person.replaced["> dist/kept.json"] = "> /dev/null && echo '{}' > dist/kept.json"
    yield


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> DeployedStack:
    """The CloudFormation stack with empty dead-letter queues and a failure of each function in its logs."""
    stack = DeployedStack(local_stack)
    orders = OrdersCommand(local_stack, tmp_path_factory.mktemp("aside"))
    orders.run("dlq", "drop", "--kind", "all", "--yes", "--to", "orders.jsonl")
    orders.run("dlq", "drop", "--notifications", "--yes", "--to", "notifications.jsonl")
    with stack.permission_removed("submission", "sqs:SendMessage"):
        assert stack.api.post(stack.sample_body).status == 503
    with stack.quick_redelivery():
        with stack.permission_removed("processing", "dynamodb:PartiQLInsert"):
            order_id = stack.api.post(stack.sample_body).json()["order_id"]
            wait_for("its failure", lambda: stack.events("processing", "order_failed", order_id))
        with stack.permission_removed("notification", "sns:Publish"):
            stack.wait_until_processed(order_id)
            wait_for("the failure", lambda: stack.events("notification", "notification_failed"))
    with stack.permission_removed("status", "dynamodb:GetItem"):
        assert stack.api.get(order_id).status == 503
    wait_for("the announcement", lambda: stack.events("notification", "order_notified", order_id))
    return stack


@pytest.fixture(scope="module")
def commands(stack: DeployedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `aws` and `orders`, which start quickly, use the stack and confirm every question."""
    directory = tmp_path_factory.mktemp("commands")
    stack_file = shlex.quote(str(stack.local.settings.local_directory / "stack.json"))
    with preloaded(tmp_path_factory.mktemp("preloaded")) as command:
        write_command(
            directory / "aws",
            f'if [ "$ONLY_CHECK" ]; then exec {command("aws-check")} "$@"; fi',
            # Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for some services.
            f'exec {command("aws")} --endpoint-url "$AWS_ENDPOINT_URL" "$@"',
        )
        write_command(
            directory / "orders",
            'case "$1 $2" in "dlq redrive" | "dlq drop" | notify* | restore* | submit*) set -- "$@" --yes ;; esac',
            f'exec {command("orders")} "$@" --stack-file {stack_file}',
        )
        yield directory


@pytest.fixture
def person(stack: DeployedStack, commands: Path, tmp_path: Path) -> Iterator[Engineer]:
    """An engineer who has run the first block of the runbook."""
    environment = tool_environment(stack.local.connection)
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    directory = tmp_path / "project"
    directory.mkdir()
    with Shell(directory, environment) as shell:
        person = Engineer(
            shell=shell,
            filled_in={"new file": str(tmp_path / "file.jsonl")},
            replaced=dict(REPLACED),
            expected=dict(EXPECTED),
            stack=stack,
            directory=directory,
        )
        person.run_all(SECTIONS["The first five minutes"].commands[:4], {})
        yield person


@pytest.mark.parametrize("title", SECTIONS)
def test_runbook_commands_do_what_their_section_says(person: Engineer, title: str) -> None:
    with PREPARED[title](person) if title in PREPARED else nullcontext():
        person.run_all(SECTIONS[title].commands, NOT_RUN)


def test_runbook_tables_name_existing_sections_and_commands() -> None:
    commands = [in_one_line(command) for section in SECTIONS.values() for command in section.commands]
    assert PREPARED.keys() <= SECTIONS.keys()
    for table in (NOT_RUN, EXPECTED):
        assert [each for each in table if not any(command.startswith(each) for command in commands)] == []
