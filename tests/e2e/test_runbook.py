"""Every command of docs/runbook.md, typed as it stands into a shell, with the deployed stack behind `aws` and `orders`.

SCENES says of each section what is there before, and what each command has to say. What the local stack cannot do is in
NOT_RUN, with the reason; of that the spelling is held to the AWS CLI, Terraform's files and the Makefile. A command that is in
neither fails the test, and so does a line here that no command needs any more.
"""

import json
import shlex
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
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
from support.machine.shell import Shell
from support.machine.typed_commands import Typist, in_one_line, require_all_do_what_they_are_there_for
from support.repository.documented_commands import RUNBOOK, sections_with_commands
from support.waiting import wait_for

SECTIONS = sections_with_commands(RUNBOOK)

# What is typed here in another way: the name of the deployment, and what would take minutes.
AS_TYPED_HERE = {
    "PREFIX=order-processing-prod": "PREFIX=order-processing-dev",
    "--interval 60": "--interval 1",
}

ORDER_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
ARN = r"^arn:aws:"

# Commands by how they begin, and why they are not run.
NOT_RUN = {
    "aws ec2 get-console-output": "the emulator's instances do not boot",
    "aws ssm start-session": "the emulator's instances do not boot",
    "aws autoscaling describe-scaling-activities": "the emulator records none",
    "sudo tail": "is typed on a web server",
    "aws sns confirm-subscription": "the emulator sends no token",
    "aws kms rotate-key-on-demand": "the emulator does not know it",
    "git checkout": "would take the tested files away",
    "make build": "test_build_lambda.py builds the package",
    "terraform": "takes minutes; test_backend_apply.py and test_frontend_apply.py apply and destroy both",
    "aws cloudformation deploy --template-file dist/order-processing.yaml --stack-name $PREFIX --s3-bucket <bucket> "
    "--capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides DeletionProtectionEnabled=true": (
        "test_cloudformation_update.py protects a stack, one that nobody else uses"
    ),
    "aws cloudformation delete-stack": "test_cloudformation_update.py deletes a stack, one that nobody else uses",
    "aws cloudformation wait": "waits for the deletion",
    **dict.fromkeys(
        (
            "DELETED=",
            "aws cloudformation get-template",
            "aws cloudformation create-change-set",
            "aws cloudformation describe-change-set",
            "aws cloudformation execute-change-set",
        ),
        "test_cloudformation_update.py imports the resources of a deleted stack",
    ),
}


@dataclass(kw_only=True)
class Person(Typist):
    """Who types, with the stack behind them."""

    stack: DeployedStack
    directory: Path


Scene = Callable[[Person], AbstractContextManager[object]]
"""What is there while a section is worked through, and undone afterwards."""


def as_it_is(person: Person) -> AbstractContextManager[object]:
    """Change nothing."""
    return nullcontext()


def mapping_of(person: Person, function: str) -> dict[str, Any]:
    """Return the event source mapping of a function."""
    functions = person.stack.client("lambda")
    [found] = functions.list_event_source_mappings(FunctionName=f"{person.stack.prefix}-{function}:live")[
        "EventSourceMappings"
    ]
    mapping: dict[str, Any] = functions.get_event_source_mapping(UUID=found["UUID"])
    return mapping


def buried(person: Person, body: str) -> None:
    """Put a message into the orders' dead-letter queue."""
    person.stack.client("sqs").send_message(QueueUrl=person.stack.outputs["orders_dlq_url"], MessageBody=body)


def placed(person: Person) -> str:
    """Place an order and return its id once it is stored."""
    order_id = str(person.stack.api.post(person.stack.sample_body).json()["order_id"])
    person.stack.wait_until_processed(order_id)
    return order_id


def a_kept_template(person: Person) -> AbstractContextManager[object]:
    person.filled_in["address"] = "operations@example.com"
    person.typed_here["> dist/kept.json"] = "> /dev/null && echo '{}' > dist/kept.json"
    return nullcontext()


@contextmanager
def an_alarm_is_on(person: Person) -> Iterator[None]:
    # One that nothing but this test touches: with no metric and no mail.
    name, cloudwatch = f"{person.stack.prefix}-of-the-runbook", person.stack.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="runbook",
        MetricName="nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    try:
        yield
    finally:
        cloudwatch.delete_alarms(AlarmNames=[name])


@contextmanager
def web_servers(person: Person) -> Iterator[None]:
    name, scaling = f"{person.stack.prefix}-storefront", person.stack.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12345678", InstanceType="t4g.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        AvailabilityZones=[f"{person.stack.local.settings.region}a"],
        Tags=[{"Key": "Name", "Value": name}],
    )
    person.filled_in["instance"] = "i-0123456789abcdef0"
    try:
        yield
    finally:
        scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        scaling.delete_launch_configuration(LaunchConfigurationName=name)


@contextmanager
def requests_in_the_access_log(person: Person) -> Iterator[None]:
    """Log as the API does on AWS; the emulator's has no access log."""
    logs, group = person.stack.client("logs"), f"/aws/vendedlogs/apigateway/{person.stack.prefix}-orders"
    stream = f"runbook-{uuid.uuid4().hex}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    lines = [
        {"status": "202", "response_latency_ms": "47", "source_ip": "203.0.113.9"},
        {"status": "429", "response_latency_ms": "1", "source_ip": "203.0.113.9"},
        {"status": "503", "response_latency_ms": "4711", "route": "POST /orders"},
    ]
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[
            {"timestamp": int(time.time() * 1000), "message": json.dumps(line, separators=(",", ":"))} for line in lines
        ],
    )
    try:
        yield
    finally:
        logs.delete_log_stream(logGroupName=group, logStreamName=stream)


@contextmanager
def subscriptions(person: Person) -> Iterator[None]:
    """Fill in a subscription and another address, which is unsubscribed afterwards."""
    sns, topic = person.stack.client("sns"), person.stack.outputs["alerts_topic_arn"]

    def by_endpoint() -> dict[str, str]:
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] == "email"}

    [subscription] = by_endpoint().values()
    person.filled_in |= {"subscription": subscription, "address": "again@example.com", "token": "2336412f"}
    yield
    sns.unsubscribe(SubscriptionArn=by_endpoint()["again@example.com"])


@contextmanager
def executions_reserved(person: Person) -> Iterator[None]:
    functions, name = person.stack.client("lambda"), f"{person.stack.prefix}-processing"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=10)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def a_failed_order(person: Person) -> AbstractContextManager[object]:
    """Fill in an order that failed once and is stored."""
    person.filled_in["order_id"] = failed_order_id(person.stack)
    return nullcontext()


def failed_order_id(stack: DeployedStack) -> str:
    return str(stack.events("processing", "order_failed")[-1]["order_id"])


def orders_in_the_dead_letter_queue(person: Person) -> AbstractContextManager[object]:
    """Bury an order that is stored already, so that it can be traced, and eleven that are not."""
    order_id = failed_order_id(person.stack)
    stored = person.stack.api.get(order_id).json()
    first = {
        **person.stack.message(stored["customer_id"]),
        "order_id": order_id,
        "order": {name: stored[name] for name in ("customer_id", "product_id", "quantity", "order_date")},
    }
    for message in [first, *(person.stack.message("runbook") for _ in range(11))]:
        buried(person, json.dumps(message))
    person.filled_in["order_id"] = order_id
    return nullcontext()


@contextmanager
def something_that_looks_like_poison(person: Person) -> Iterator[None]:
    # It is an order after all, or it would come back to the dead-letter queue when other tests look there.
    message = person.stack.message("runbook")
    buried(person, json.dumps(message))
    [event, *_] = person.stack.events("processing", "order_failed")
    person.filled_in |= {"reason": "nothing was logged", "message_id": event["message_id"]}
    yield
    person.stack.wait_until_processed(message["order_id"])


def an_announced_order(person: Person) -> AbstractContextManager[object]:
    person.filled_in["order_id"] = placed(person)
    return nullcontext()


@contextmanager
def a_broken_version_serves(person: Person) -> Iterator[None]:
    functions, name = person.stack.client("lambda"), f"{person.stack.prefix}-processing"
    code = changed_zip(
        lambda_zip("local"), "orders/handlers/processing.py", more="raise RuntimeError('broken by the test')\n"
    )

    def live() -> str:
        return str(functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"])

    former = live()
    broken = functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=broken)
    person.filled_in |= {"version before": former, "former release": "v1.0.0"}
    try:
        yield
        assert live() == former
        placed(person)
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=former)
        functions.update_function_code(FunctionName=name, ZipFile=lambda_zip("local").read_bytes())


@contextmanager
def processing_comes_back(person: Person) -> Iterator[None]:
    """See that processing is as before in the end."""
    mapping = mapping_of(person, "processing")
    before = mapping["ScalingConfig"]
    try:
        yield
    except BaseException:
        person.stack.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        raise
    wait_for("processing", lambda: mapping_of(person, "processing")["State"] == "Enabled")
    assert mapping_of(person, "processing")["ScalingConfig"] == before
    placed(person)


@contextmanager
def retention_is_put_back(person: Person) -> Iterator[None]:
    sqs, url, name = person.stack.client("sqs"), person.stack.outputs["orders_queue_url"], "MessageRetentionPeriod"
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
    person.filled_in["other region"] = "eu-west-1"
    yield
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name] == str(14 * 24 * 60 * 60)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})
    assert before == "345600", "the runbook says so"


@contextmanager
def orders_will_be_lost(person: Person) -> Iterator[None]:
    dynamodb, table = person.stack.client("dynamodb"), person.stack.outputs["orders_table_name"]
    lost, changed = placed(person), placed(person)
    was = {order_id: person.stack.item(order_id) for order_id in (lost, changed)}
    filters = mapping_of(person, "notification")["FilterCriteria"]

    def lose() -> None:
        dynamodb.delete_item(TableName=table, Key={"order_id": {"S": lost}})
        dynamodb.put_item(TableName=table, Item={**was[changed], "quantity": {"N": "7"}})

    person.after["aws dynamodb wait"] = lose
    person.filled_in |= {"moment before it happened": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "order_id": changed}
    with processing_comes_back(person):
        yield
    assert {order_id: person.stack.item(order_id) for order_id in was} == was
    wait_for("the mapping", lambda: mapping_of(person, "notification")["State"] == "Enabled")
    assert mapping_of(person, "notification")["FilterCriteria"] == filters
    announced = placed(person)
    wait_for("announcements", lambda: person.stack.events("notification", "order_notified", announced))


def package_stack(person: Person) -> None:
    """Put what the README's `package` writes where it does, and fill in the bucket that it leads to."""
    (person.directory / "dist").mkdir()
    s3, bucket = person.stack.client("s3"), f"{person.stack.prefix}-artifacts"
    templates = [each for each in s3.list_objects_v2(Bucket=bucket)["Contents"] if each["Key"].endswith(".template")]
    newest = max(templates, key=lambda each: each["LastModified"])
    packaged = s3.get_object(Bucket=bucket, Key=newest["Key"])["Body"].read()
    (person.directory / "dist" / "order-processing.yaml").write_bytes(packaged)
    person.filled_in["bucket"] = bucket


@contextmanager
def a_table_is_gone(person: Person) -> Iterator[None]:
    """Delete a table made for it, and let PREFIX lead to it until the commands are about the deployed one again."""
    dynamodb, table = person.stack.client("dynamodb"), "runbook-orders"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"order_id": {"S": "one"}}
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


def a_key(person: Person) -> AbstractContextManager[object]:
    person.filled_in["key"] = person.stack.client("kms").create_key()["KeyMetadata"]["KeyId"]
    return nullcontext()


@contextmanager
def customers_come_back(person: Person) -> Iterator[None]:
    gateway = person.stack.client("apigatewayv2")
    [api] = [each for each in gateway.get_apis()["Items"] if each["Name"] == f"{person.stack.prefix}-orders"]
    stage = {"ApiId": api["ApiId"], "StageName": "$default"}

    def kept_out() -> None:
        limits = gateway.get_stage(**stage)["RouteSettings"]["POST /orders"]
        assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (0, 0)

    person.after["aws apigatewayv2 update-stage"] = kept_out
    yield
    assert "POST /orders" not in gateway.get_stage(**stage)["RouteSettings"]


@contextmanager
def a_bucket_for_what_stays(person: Person) -> Iterator[None]:
    dynamodb, table = person.stack.client("dynamodb"), f"{person.stack.prefix}-orders"
    kept = placed(person)
    package_stack(person)
    yield
    assert kept in [
        item["order_id"]["S"] for item in json.loads(Path(person.filled_in["new file"]).read_text())["Items"]
    ]
    for backup in dynamodb.list_backups(TableName=table)["BackupSummaries"]:
        dynamodb.delete_backup(BackupArn=backup["BackupArn"])


WATCHED = r"accepted=\d+ .*waiting=\d+ .*dead_letters=\d+"
ERRORS = r'"level": ?"ERROR"'
EMPTY = "the dead-letter queue is empty"

SCENES: Mapping[str, tuple[Scene, Mapping[str, str]]] = {
    "The first five minutes": (
        an_alarm_is_on,
        {
            "PREFIX=": "^order-processing-dev$",
            "PATH=": "/.venv/bin$",
            "export AWS_PAGER=": "^$",
            "logged()": "^$",
            "aws cloudwatch describe-alarms": "^order-processing-dev-of-the-runbook\t",
            "orders status": "processing +Enabled",
            "orders dlq list": EMPTY,
            "aws lambda list-versions-by-function": r"^\$LATEST\t",
            "logged /aws/lambda/$PREFIX-processing": ERRORS,
        },
    ),
    "Unhealthy hosts": (
        web_servers,
        {"aws autoscaling describe-auto-scaling-groups": r"^i-[0-9a-f]+\tHealthy\tInService"},
    ),
    "Missing hosts": (as_it_is, {}),
    "Storefront 5xx": (web_servers, {}),
    "Load balancer 5xx": (web_servers, {"aws autoscaling describe-auto-scaling-groups": "^2\t3$"}),
    "API 5xx": (
        requests_in_the_access_log,
        {
            "logged /aws/vendedlogs/apigateway/$PREFIX-orders": '"status":"503"',
            "logged /aws/lambda/$PREFIX-submission": ERRORS,
            "logged /aws/lambda/$PREFIX-status": ERRORS,
        },
    ),
    "API 4xx": (
        requests_in_the_access_log,
        {"logged /aws/vendedlogs/apigateway/$PREFIX-orders": r'1 "status":"429"'},
    ),
    "API flood": (
        requests_in_the_access_log,
        {"logged /aws/vendedlogs/apigateway/$PREFIX-orders": r'2 "source_ip":"203.0.113.9"'},
    ),
    "Orders flood": (
        requests_in_the_access_log,
        {
            "logged /aws/vendedlogs/apigateway/$PREFIX-orders": r'\d "source_ip":"203.0.113.9"',
            "orders watch --count 1": WATCHED,
        },
    ),
    "API slow": (
        requests_in_the_access_log,
        {"logged /aws/vendedlogs/apigateway/$PREFIX-orders": '"response_latency_ms":"4711"'},
    ),
    "No orders": (as_it_is, {"API=": "^http://", "curl": "422[^$]*VALIDATION_FAILED"}),
    "Orders waiting": (
        as_it_is,
        {
            "orders watch --count 1": WATCHED,
            "logged /aws/lambda/$PREFIX-processing": ERRORS,
            "aws lambda list-event-source-mappings": r"^Enabled\t.*\t\d+$",
        },
    ),
    "Processing failing": (
        a_failed_order,
        {
            "logged /aws/lambda/$PREFIX-processing": ERRORS,
            "orders trace <order_id>": "order_failed[^$]*order_stored",
        },
    ),
    "Orders DLQ": (
        orders_in_the_dead_letter_queue,
        {
            "orders dlq list": "11 .*nothing was logged[^$]*1 .*AccessDenied",
            "orders dlq show --limit 1": '"order_id"',
            "orders show <order_id>": "PROCESSED",
            "orders trace <order_id>": "order_stored",
            "orders dlq redrive --dry-run": "would redrive 12 messages .*nothing was done",
            "orders dlq redrive --limit 10": "10 messages redriven",
            "orders dlq redrive": "2 messages redriven",
            "orders watch --count 1": WATCHED,
        },
    ),
    "Notifications late": (
        as_it_is,
        {
            "logged /aws/lambda/$PREFIX-notification": ERRORS,
            "aws lambda list-event-source-mappings": "^Enabled\t",
        },
    ),
    "Notification failing": (as_it_is, {"logged /aws/lambda/$PREFIX-notification": "notification_failed"}),
    "Notifications DLQ": (
        an_announced_order,
        {
            "orders dlq list --notifications": "the dead-letter queue of notifications is empty",
            "logged /aws/lambda/$PREFIX-notification": "notification_failed",
            "orders dlq redrive --notifications": "there is nothing to",
            "orders notify <order_id>": "notified 1 order",
            "orders dlq drop --notifications": "there is nothing to drop",
        },
    ),
    "Alerts undelivered": (
        as_it_is,
        {"TOPIC=": ARN, "aws sns list-subscriptions-by-topic": r"email\tyou@example\.com\tarn:"},
    ),
    "Function errors": (
        as_it_is,
        {"FUNCTION=": "^order-processing-dev-processing$", "logged /aws/lambda/$FUNCTION": ERRORS},
    ),
    "Function throttles": (
        executions_reserved,
        {
            "aws lambda get-account-settings": "ConcurrentExecutions",
            "aws lambda get-function-concurrency": '"ReservedConcurrentExecutions": 10',
        },
    ),
    "Confirming the alarms' subscriptions": (
        subscriptions,
        {
            "TOPIC=": ARN,
            "aws sns get-subscription-attributes": "RawMessageDelivery",  # The emulator has few of them.
            "aws sns subscribe": "SubscriptionArn",
        },
    ),
    "A poison order": (
        something_that_looks_like_poison,
        {
            "orders dlq list": "nothing was logged",
            'orders dlq show --reason "<reason>" --limit 1': "customer_id",
            "orders trace <message_id>": "order_failed",
            'orders dlq drop --reason "<reason>" --dry-run': "would drop 1 message .*nothing was done",
            'orders dlq drop --reason "<reason>" --to <new file>': "1 message dropped; the file is ",
            "orders dlq redrive --from <new file>": "1 message redriven",
        },
    ),
    "A broken deployment": (
        a_broken_version_serves,
        {
            "FUNCTION=": "^order-processing-dev-processing$",
            "aws lambda list-versions-by-function": r"^\$LATEST\t",
            "aws lambda get-alias": r"^\d+$",
            "aws lambda invoke": '"StatusCode"',
            "aws lambda get-function-configuration": "^Active$",
            "aws lambda update-alias": '"FunctionVersion"',
            "orders submit": ORDER_ID,
            "orders dlq list": EMPTY,
        },
    ),
    "Pausing the processing": (
        processing_comes_back,
        {
            "orders pause": "processing is disabled",
            "orders resume": "processing is enabled",
        },
    ),
    "DynamoDB throttles": (
        processing_comes_back,
        {
            "aws dynamodb describe-limits": "TableMaxWriteCapacityUnits",
            "aws dynamodb describe-table": "by_customer",
            "MAPPING=": "^[0-9a-f-]{36}$",
            'aws lambda update-event-source-mapping --uuid "$MAPPING" --scaling-config MaximumConcurrency=2': (
                '"MaximumConcurrency": 2'
            ),
            'aws lambda update-event-source-mapping --uuid "$MAPPING" --scaling-config MaximumConcurrency=3': (
                '"MaximumConcurrency": 3'
            ),
            "orders dlq redrive --reason Throttl --rate 50": "there is nothing to redrive",
        },
    ),
    "Region trouble": (
        retention_is_put_back,
        {
            "QUEUE=": "^http.*/order-processing-dev-orders$",
            "aws sqs set-queue-attributes": "^$",
            "orders watch --count 1": WATCHED,
            "orders dlq list": EMPTY,
            "orders dlq redrive": "there is nothing to redrive",
            "orders dlq redrive --notifications": "there is nothing to",
        },
    ),
    "Restoring the table": (
        orders_will_be_lost,
        {
            "aws dynamodb describe-continuous-backups": "PointInTimeRecoveryStatus",
            "aws dynamodb restore-table-to-point-in-time": '"TableName": "order-processing-dev-orders-restored"',
            "aws dynamodb wait table-exists": "^$",
            "orders restore $PREFIX-orders-restored --dry-run": "the table holds other content[^$]*"
            "1 order would be restored; nothing was done",
            "orders restore $PREFIX-orders-restored": "1 order restored",
            "ORDER=": "order_id",
            'aws dynamodb get-item --table-name $PREFIX-orders --key "$ORDER" > <new file>': "^$",
            'aws dynamodb get-item --table-name $PREFIX-orders-restored --key "$ORDER"': '"quantity"',
            'aws dynamodb delete-item --table-name $PREFIX-orders --key "$ORDER"': "^$",
            "aws dynamodb delete-table --table-name $PREFIX-orders-restored": '"TableDescription"',
            "MAPPING=": "^[0-9a-f-]{36}$",
            "ANNOUNCING=": "^[0-9a-f-]{36}$",
            'aws lambda update-event-source-mapping --uuid "$MAPPING" --no-enabled': '"State": "Disabl',
            'aws lambda update-event-source-mapping --uuid "$ANNOUNCING" --filter-criteria \'{"Filters": [{"Pattern": '
            '"{\\"eventName\\":[\\"NONE\\"]}"': "NONE",
            'aws lambda update-event-source-mapping --uuid "$ANNOUNCING" --filter-criteria \'{"Filters": [{"Pattern": '
            '"{\\"eventName\\":[\\"INSERT\\"]}"': "INSERT",
            "aws lambda get-event-source-mapping": "^Enabled$",
            'aws lambda update-event-source-mapping --uuid "$MAPPING" --enabled': '"State": "Enabl',
        },
    ),
    "The table is gone": (
        a_table_is_gone,
        {
            "aws dynamodb list-backups": "^arn:aws:dynamodb:.*/backup/",
            "aws dynamodb restore-table-from-backup": '"TableName": "runbook-orders"',
            "aws dynamodb wait table-exists": "^$",
            "aws dynamodb update-table": '"DeletionProtectionEnabled": true',
            "aws dynamodb update-continuous-backups": '"PointInTimeRecoveryStatus": "ENABLED"',
            "aws cloudformation deploy --template-file dist/order-processing.yaml --stack-name $PREFIX "
            "--s3-bucket <bucket> --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset "
            "--parameter-overrides DeletionProtectionEnabled=false": "No changes to deploy",
            "aws dynamodb describe-table": ARN,
            "aws lambda list-event-source-mappings": ARN,
        },
    ),
    "Changing an order's or a message's shape": (
        as_it_is,
        {"orders dlq list": EMPTY, 'orders dlq redrive --reason "of a version that"': "there is nothing to redrive"},
    ),
    "Rotating keys and secrets": (
        a_key,
        {"aws kms enable-key-rotation": "^$", "aws kms get-key-rotation-status": '"KeyRotationEnabled": true'},
    ),
    "Draining": (
        customers_come_back,
        {
            "API_ID=": "^[0-9a-z]+$",
            "aws apigatewayv2 update-stage": '"ThrottlingRateLimit": 0',
            "API=": "^http://",
            "curl": "422",  # The emulator does not throttle.
            "orders watch --count 3": rf"({WATCHED}[^$]*){{3}}",
            "aws apigatewayv2 delete-route-settings": "^$",
        },
    ),
    "Tearing down without losing data": (
        a_bucket_for_what_stays,
        {
            "aws dynamodb create-backup": '"BackupStatus": "AVAILABLE"',
            "TABLE_ARN=": ARN,
            "aws dynamodb export-table-to-point-in-time": '"ExportArn"',
            "aws dynamodb list-exports": '"ExportStatus"',
            "aws dynamodb scan": "^$",
            "orders dlq list": EMPTY,
            "orders dlq list --notifications": "is empty",
            "aws cloudformation deploy --template-file dist/order-processing.yaml --stack-name $PREFIX "
            "--s3-bucket <bucket> --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset "
            "--parameter-overrides DeletionProtectionEnabled=false": "No changes to deploy",
        },
    ),
    "Deploying a deleted stack again": (
        a_kept_template,
        {"mkdir": "^$", "QUEUE=": "^http.*-orders$", "DLQ=": "^http.*-orders-dlq$"},
    ),
}


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> DeployedStack:
    """The stack of one way to deploy, its dead-letter queues empty, with a failure of every function in its logs."""
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
def preloaded_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    with preloaded(tmp_path_factory.mktemp("preloaded")) as command:
        yield command


@pytest.fixture
def person(stack: DeployedStack, preloaded_command: Callable[[str], str], tmp_path: Path) -> Iterator[Person]:
    """Somebody with the runbook in front of them, who has typed its first block."""
    commands = tmp_path / "commands"
    commands.mkdir()
    stack_file = stack.local.settings.local_directory / "stack.json"
    for name, lines in {
        "aws": [
            f'if [ "$ONLY_CHECK" ]; then exec {preloaded_command("aws-check")} "$@"; fi',
            # With some services version 1 of the AWS CLI passes over AWS_ENDPOINT_URL.
            f'exec {preloaded_command("aws")} --endpoint-url "$AWS_ENDPOINT_URL" "$@"',
        ],
        # A person answers; here nobody can be asked.
        "orders": [
            'case "$1 $2" in "dlq redrive" | "dlq drop" | notify* | restore* | submit*) set -- "$@" --yes ;; esac',
            f'exec {preloaded_command("orders")} "$@" --stack-file {shlex.quote(str(stack_file))}',
        ],
    }.items():
        (commands / name).write_text("\n".join(["#!/bin/bash", *lines, ""]))
        (commands / name).chmod(0o755)
    environment = tool_environment(stack.local.connection)
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    directory = tmp_path / "project"
    directory.mkdir()
    with Shell(directory, environment) as shell:
        person = Person(
            shell=shell,
            filled_in={"new file": str(tmp_path / "file.jsonl")},
            typed_here=dict(AS_TYPED_HERE),
            stack=stack,
            directory=directory,
        )
        for command in SECTIONS["The first five minutes"].commands[:4]:
            assert person.run(command).status == 0
        yield person


@pytest.mark.parametrize("title", SECTIONS)
def test_every_command_of_the_runbook_does_what_it_is_there_for(person: Person, title: str) -> None:
    assert title in SCENES, f"say in SCENES what is there before, and what the commands of “{title}” have to say"
    scene, expected = SCENES[title]
    with scene(person):
        require_all_do_what_they_are_there_for(person, SECTIONS[title].commands, expected, NOT_RUN)


def test_no_reason_is_left_for_a_command_that_is_gone() -> None:
    commands = [in_one_line(command) for section in SECTIONS.values() for command in section.commands]
    assert SCENES.keys() == SECTIONS.keys()
    assert [each for each in NOT_RUN if not any(command.startswith(each) for command in commands)] == []


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("aws ssm start-session --target i-0123456789abcdef0", 0),
        ("aws ssm start-sesion --target i-0123456789abcdef0", 2),
        ("aws cloudformation delete-stack --stack-nam $PREFIX", 2),
    ],
)
def test_a_command_that_is_not_run_is_checked_all_the_same(person: Person, command: str, status: int) -> None:
    answer = person.shell.run(f"ONLY_CHECK=1 {command}")
    assert (answer.status == 0) == (status == 0), answer.text
