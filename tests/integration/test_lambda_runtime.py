"""The zip for AWS, answering events under the Lambda runtime's own version of Python.

The tests' Python may be older than the runtime's, and the zip's native libraries load in the runtime's
only. Debian 13 has that version, so each function is started there as Lambda does it: the zip unpacked,
boto3 beside it and not inside, a user who may only read, a process of its own for each cold start. AWS is
the emulator.
"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import build_lambda
from deployment.emulator import running_emulator
from deployment.package import lambda_zip
from fake_aws.events import body_of, http_event, item_of, sqs_event, stream_event
from local_stack.aws import AwsConnection
from local_stack.environment import tool_environment
from machine.debian import debian_root
from orders.domain.order_id import parse_order_id
from sample_orders import SAMPLE_BODY, processed, submitted

# What python3.13 brings along of boto3; all of it pure Python, so the tests' own copy serves.
BOTO3_AND_ALL_IT_IMPORTS = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# The user `nobody`: may read the function's files and write none, like Lambda's own.
NOBODY = "65534:65534"

# Reads the event from standard input; prints the answer as the last line, after whatever the function logged.
INVOKE = """
import importlib, json, sys
handler = importlib.import_module(f"orders.handlers.{sys.argv[1]}").handler
answer = handler(json.load(sys.stdin), None)
print(json.dumps({
    "answer": answer,
    "python": ".".join(map(str, sys.version_info[:2])),
    "files": {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)},
}))
"""

REGION = "eu-central-1"


@dataclass(frozen=True)
class Invocation:
    """What came of one event."""

    answer: dict[str, Any]
    python: str
    files: dict[str, str]
    log: list[dict[str, Any]]


@dataclass(frozen=True)
class LambdaRuntime:
    """A Debian system with the unpacked zip in `task` and boto3 in `site`, both paths inside `root`."""

    root: Path
    task: str
    site: str
    environment: dict[str, str]

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Start `function` and hand it `event`."""
        command = ["chroot", f"--userspec={NOBODY}", str(self.root), "/usr/bin/env", "--ignore-environment"]
        command += [f"{name}={value}" for name, value in self.environment.items()]
        command += [f"PYTHONPATH={self.task}:{self.site}", "PYTHONDONTWRITEBYTECODE=1"]
        command += ["/usr/bin/python3", "-W", "error", "-c", INVOKE, function]
        ran = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
        *log, last = [json.loads(line) for line in ran.stdout.splitlines()]
        return Invocation(log=log, **last)


@pytest.fixture(scope="module")
def debian() -> Path:
    return debian_root("debian13", "trixie", ["python3"])


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsConnection]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        yield emulator.connection


@pytest.fixture(scope="module")
def queue_url(aws: AwsConnection) -> str:
    return str(aws.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


@pytest.fixture(scope="module")
def announced_url(aws: AwsConnection) -> str:
    """A queue that takes what the topic sends."""
    policy = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}}
    created = aws.client("sqs").create_queue(QueueName="announced", Attributes={"Policy": json.dumps(policy)})
    return str(created["QueueUrl"])


@pytest.fixture(scope="module")
def topic_arn(aws: AwsConnection, announced_url: str) -> str:
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=announced_url, AttributeNames=["QueueArn"])
    arn = aws.client("sns").create_topic(Name="order-completed")["TopicArn"]
    aws.client("sns").subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=queue["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    return str(arn)


@pytest.fixture(scope="module")
def table_name(aws: AwsConnection) -> str:
    aws.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "orders"


@pytest.fixture(scope="module")
def runtime(
    debian: Path, aws: AwsConnection, queue_url: str, table_name: str, topic_arn: str
) -> Iterator[LambdaRuntime]:
    zip_path = lambda_zip(build_lambda.target_named("local").machine)
    own_folder = Path(tempfile.mkdtemp(prefix="lambda-", dir=debian / "tmp"))
    try:
        own_folder.chmod(0o755)
        with zipfile.ZipFile(zip_path) as archive:
            archive.extractall(own_folder / "task")
        copy_boto3(own_folder / "site")
        inside = Path("/") / own_folder.relative_to(debian)
        environment = tool_environment(aws, inherited={}) | {
            "ORDERS_QUEUE_URL": queue_url,
            "ORDERS_TABLE_NAME": table_name,
            "ORDER_COMPLETED_TOPIC_ARN": topic_arn,
        }
        yield LambdaRuntime(debian, f"{inside}/task", f"{inside}/site", environment)
    finally:
        shutil.rmtree(own_folder)


def copy_boto3(site: Path) -> None:
    """Copy boto3 and what it imports from the tests' own environment."""
    site.mkdir()
    for name in BOTO3_AND_ALL_IT_IMPORTS:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, site)


def test_an_order_is_accepted_and_queued(runtime: LambdaRuntime, aws: AwsConnection, queue_url: str) -> None:
    answer = runtime.invoke("submission", http_event(SAMPLE_BODY.decode())).answer

    assert answer["statusCode"] == 202, answer
    order_id = body_of(answer)["order_id"]
    assert parse_order_id(order_id) == order_id
    [message] = aws.client("sqs").receive_message(QueueUrl=queue_url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["order_id"] == order_id


def test_an_order_that_is_none_is_refused_by_the_schema(runtime: LambdaRuntime) -> None:
    invocation = runtime.invoke("submission", http_event('{"quantity": 0}'))

    assert invocation.answer["statusCode"] == 422, invocation.answer
    assert body_of(invocation.answer)["code"] == "VALIDATION_FAILED"


def test_a_queued_order_is_stored(runtime: LambdaRuntime, aws: AwsConnection, table_name: str) -> None:
    order = submitted("queued")

    answer = runtime.invoke("processing", sqs_event(first=order)).answer

    assert answer == {"batchItemFailures": []}
    key = {"order_id": {"S": order.order_id}}
    assert "Item" in aws.client("dynamodb").get_item(TableName=table_name, Key=key)


def test_a_stored_order_is_found(runtime: LambdaRuntime, aws: AwsConnection, table_name: str) -> None:
    order = processed("stored")
    aws.client("dynamodb").put_item(TableName=table_name, Item=item_of(order))

    answer = runtime.invoke("status", http_event(order_id=order.order_id)).answer

    assert answer["statusCode"] == 200, answer
    assert body_of(answer) == {**order.to_document(), "status": "PROCESSED"}


def test_a_completed_order_is_announced(runtime: LambdaRuntime, aws: AwsConnection, announced_url: str) -> None:
    order = processed("completed")

    answer = runtime.invoke("notification", stream_event(order)).answer

    assert answer == {"batchItemFailures": []}
    [message] = aws.client("sqs").receive_message(QueueUrl=announced_url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["order_id"] == order.order_id


def test_it_ran_in_the_runtimes_python_on_the_zip_and_boto3_alone(runtime: LambdaRuntime) -> None:
    invocation = runtime.invoke("submission", http_event("{}"))

    assert invocation.python == build_lambda.LAMBDA_PYTHON
    assert invocation.files["rpds.rpds"].startswith(f"{runtime.task}/rpds/rpds.cpython-313-")
    from_elsewhere = {
        name.partition(".")[0]
        for name, file in invocation.files.items()
        if not file.startswith((runtime.task, "/usr/lib/python3.13/"))
    }
    assert from_elsewhere <= set(BOTO3_AND_ALL_IT_IMPORTS)
