"""The deployed backend without a storefront. The test changes and restarts it."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from faults.redrive import all_bodies
from local_stack import Settings
from local_stack.cloudformation import CloudFormationDeployment
from local_stack.deployment import built_package
from local_stack.emulator import running_emulator
from local_stack.machine import RunLock, free_port
from local_stack.report import Report
from local_stack.stack import resolvable_api_url
from orders.adapters.dynamodb import read_item
from orders.domain.order import ProcessedOrder
from support.deployment.stack import DeployedStack

_FUNCTIONS = ("submission", "processing", "status", "notification")

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SNS")

# The SDK gives up after 4 s and retries once: the retry can succeed within this timeout, a third try cannot.
_PROCESSING_SECONDS = 5

VISIBILITY_SECONDS = 6
"""The deployed value is six times the function's timeout, so a failing order takes minutes. Lambda's minimum is once."""

PROCESSING_MAPPING: dict[str, Any] = {"BatchSize": 10, "ScalingConfig": {"MaximumConcurrency": 4}}
"""As deployed, but with fewer concurrent batches, because each batch is a process on this machine."""


@contextmanager
def running_backend(directory: Path, report: Report) -> Iterator["Backend"]:
    """Deploy the backend with CloudFormation, IAM enforced, for a `with` block."""
    settings = Settings(aws_port=free_port(), local_directory=directory, processing_timeout_seconds=_PROCESSING_SECONDS)
    directory.mkdir(parents=True, exist_ok=True)
    with RunLock(directory) as lock:
        report.step("Building the Lambda package")
        zip_path = built_package(report)
        for former in (directory / "emulator", directory / "deployment"):
            shutil.rmtree(former, ignore_errors=True)
        backend = Backend(settings, zip_path.read_bytes(), lock)
        report.step("Starting the AWS emulator and deploying the backend")
        try:
            backend.start_emulator()
            deployment = CloudFormationDeployment(settings, directory / "deployment", lock)
            backend.outputs = deployment.deploy(zip_path, report)
            backend.set_visibility_timeout(VISIBILITY_SECONDS)
            backend.update_mapping("processing", **PROCESSING_MAPPING)
            yield backend
        finally:
            backend.stop_emulator()


class Backend:
    outputs: dict[str, str]

    def __init__(self, settings: Settings, package: bytes, lock: RunLock) -> None:
        self.settings = settings
        self.connection = settings.connection
        self.mailbox = settings.local_directory / "mailbox"
        self._package = package
        self._lock = lock
        self._emulator = ExitStack()

    def start_emulator(self) -> None:
        """Start the emulator with the state that it saved."""
        directory = self.settings.local_directory
        log = directory / "logs" / "emulator.log"
        self._emulator.enter_context(running_emulator(directory / "emulator", self.connection, log, self._lock))

    def stop_emulator(self) -> None:
        """Stop the emulator, which saves its state."""
        self._emulator.close()

    def client(self, service: str) -> Any:
        return self.connection.client(service)

    @property
    def api_url(self) -> str:
        return resolvable_api_url(self.connection.endpoint_url, self.outputs["api_endpoint"])

    @cached_property
    def stack(self) -> DeployedStack:
        return DeployedStack(self)

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    @cached_property
    def _lambda(self) -> Any:
        return self.client("lambda")

    # --- Functions ---

    def set_endpoint(self, url: str) -> None:
        """Make all functions call SQS, DynamoDB and SNS at `url`."""
        for function in _FUNCTIONS:
            name = self._name(function)
            variables = self._lambda.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables |= dict.fromkeys(_ENDPOINT_VARIABLES, url)
            self._lambda.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
            self.serve(function, self._publish_version(name))

    def serving(self, function: str) -> str:
        """Return the version that a function's alias points to."""
        return str(self._lambda.get_alias(FunctionName=self._name(function), Name="live")["FunctionVersion"])

    def serve(self, function: str, version: str) -> None:
        self._lambda.update_alias(FunctionName=self._name(function), Name="live", FunctionVersion=version)

    def publish(self, function: str, change: Callable[[str, str], str], memory_megabytes: int = 256) -> str:
        """Publish a version without moving the alias. `change` gets the path and text of each module and returns it."""
        package = BytesIO()
        with zipfile.ZipFile(BytesIO(self._package)) as source, zipfile.ZipFile(package, "w") as target:
            for entry in source.infolist():
                content = source.read(entry)
                if entry.filename.startswith("orders/") and entry.filename.endswith(".py"):
                    content = change(entry.filename, content.decode()).encode()
                target.writestr(entry, content)
        name = self._name(function)
        self._lambda.update_function_code(FunctionName=name, ZipFile=package.getvalue())
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        self._lambda.update_function_configuration(FunctionName=name, MemorySize=memory_megabytes)
        return self._publish_version(name)

    def _publish_version(self, name: str) -> str:
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return str(self._lambda.publish_version(FunctionName=name)["Version"])

    def update_mapping(self, function: str, **settings: Any) -> None:
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        arn = f"{self._name(function)}:live"
        [mapping_id] = [mapping["UUID"] for mapping in mappings if mapping["FunctionArn"].endswith(arn)]
        self._lambda.update_event_source_mapping(UUID=mapping_id, **settings)

    def _name(self, function: str) -> str:
        return f"{self.stack.prefix}-{function}"

    # --- Queues ---

    def set_visibility_timeout(self, seconds: int) -> None:
        self.sqs.set_queue_attributes(
            QueueUrl=self.outputs["orders_queue_url"], Attributes={"VisibilityTimeout": str(seconds)}
        )

    def visible(self) -> int:
        """Return how many messages of the orders queue can be received."""
        return self._messages("orders_queue_url", "")

    def messages(self, queue: str = "orders_queue_url") -> int:
        """Return how many messages a queue holds, including hidden ones."""
        return self._messages(queue, "", "NotVisible", "Delayed")

    def _messages(self, queue: str, *suffixes: str) -> int:
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])["Attributes"]
        return sum(int(attributes[f"ApproximateNumberOfMessages{suffix}"]) for suffix in suffixes)

    # --- Results ---

    def rows(self) -> list[ProcessedOrder]:
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.outputs["orders_table_name"], ConsistentRead=True)
        )
        return [read_item(item) for page in pages for item in page["Items"]]

    def announcements_given_up(self) -> set[str]:
        """Return the order ids of the stream records to which the notifications' dead letters point."""
        streams = self.client("dynamodbstreams")
        order_ids: set[str] = set()
        for body in all_bodies(self.sqs, self.outputs["notifications_dlq_url"]):
            batch = json.loads(body)["DDBStreamBatchInfo"]
            shard = streams.describe_stream(StreamArn=batch["streamArn"])["StreamDescription"]["Shards"][0]["ShardId"]
            iterator = streams.get_shard_iterator(
                StreamArn=batch["streamArn"],
                ShardId=shard,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=batch["startSequenceNumber"],
            )["ShardIterator"]
            records = streams.get_records(ShardIterator=iterator, Limit=batch["batchSize"])["Records"]
            order_ids |= {record["dynamodb"]["Keys"]["order_id"]["S"] for record in records}
        return order_ids
