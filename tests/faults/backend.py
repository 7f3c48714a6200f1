"""The deployed backend as the campaign needs it: without a storefront, and to be stopped and started in the middle."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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

FUNCTIONS = ("submission", "processing", "status", "notification")

# What the proxy stands for, see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SNS")

# The SDK gives up a request that is not answered after 4 s and tries once more: with this timeout that one still has
# a chance, and a third cannot come.
_PROCESSING_SECONDS = 5

VISIBILITY_SECONDS = 6
"""How long a received message is hidden. Deployed is six times the timeout, a matter of minutes for an order that
fails; Lambda takes any value from the timeout on, and this shows the same in less time, and more overlaps."""

PROCESSING_MAPPING: dict[str, Any] = {"BatchSize": 10, "ScalingConfig": {"MaximumConcurrency": 4}}
"""How orders reach the processing function: as deployed, with fewer at a time, each a process of this machine."""


class Backend:
    """Deployed with CloudFormation, IAM enforced, for the length of a `with` block."""

    def __init__(self, directory: Path, report: Report) -> None:
        self.settings = Settings(
            aws_port=free_port(), local_directory=directory, processing_timeout_seconds=_PROCESSING_SECONDS
        )
        self.mailbox = directory / "mailbox"
        self.outputs: dict[str, str] = {}
        self.connection = self.settings.connection
        self._report = report
        self._held = ExitStack()
        self._emulator = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def client(self, service: str) -> Any:
        """Return a new client with the rights of the account's owner."""
        return self.connection.client(service)

    @property
    def api_url(self) -> str:
        """The order API's address for any client."""
        return resolvable_api_url(self.connection.endpoint_url, self.outputs["api_endpoint"])

    @cached_property
    def stack(self) -> DeployedStack:
        """The same as other tests see it."""
        return DeployedStack(self)

    @cached_property
    def sqs(self) -> Any:
        """A client of SQS."""
        return self.client("sqs")

    @cached_property
    def _functions(self) -> Any:
        return self.client("lambda")

    @cached_property
    def _dynamodb(self) -> Any:
        return self.client("dynamodb")

    def _start(self) -> None:
        directory = self.settings.local_directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._held.enter_context(RunLock(directory))
        self._report.step("Building the Lambda package")
        zip_path = built_package(self._report)
        self._package = zip_path.read_bytes()
        # Nothing of a former campaign counts.
        for former in (directory / "emulator", directory / "deployment"):
            shutil.rmtree(former, ignore_errors=True)
        deployment = CloudFormationDeployment(self.settings, directory / "deployment", self._lock)
        self._report.step("Starting the emulator of AWS and deploying the backend")
        self._start_emulator()
        self.outputs = deployment.deploy(zip_path, self._report)
        self.hide_received_messages(VISIBILITY_SECONDS)
        self.update_mapping("processing", **PROCESSING_MAPPING)

    def _start_emulator(self) -> None:
        directory = self.settings.local_directory
        log = directory / "logs" / "emulator.log"
        self._emulator.enter_context(running_emulator(directory / "emulator", self.connection, log, self._lock))

    def _stop(self) -> None:
        self._emulator.close()
        self._held.close()

    def restart(self) -> None:
        """Stop everything as `make run` does on Ctrl-C, and start it again with what it has kept."""
        self._emulator.close()
        self._start_emulator()

    # Functions

    def function_name(self, function: str) -> str:
        """Return a function's name in AWS."""
        return f"{self.stack.prefix}-{function}"

    def lead_functions_to(self, url: str) -> None:
        """Give all functions another address of SQS, DynamoDB and SNS."""
        for function in FUNCTIONS:
            name = self.function_name(function)
            variables = self._functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables |= dict.fromkeys(_ENDPOINT_VARIABLES, url)
            self._functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
            self.serve(function, self._publish(name))

    def serving(self, function: str) -> str:
        """Return the version of a function that is in use."""
        alias = self._functions.get_alias(FunctionName=self.function_name(function), Name="live")
        return str(alias["FunctionVersion"])

    def serve(self, function: str, version: str) -> None:
        """Move a function's alias, as a deployment and a rollback do."""
        self._functions.update_alias(FunctionName=self.function_name(function), Name="live", FunctionVersion=version)

    def publish(self, function: str, package: bytes, memory_megabytes: int = 256) -> str:
        """Publish other code and settings as a new version, not in use yet; return the version."""
        name = self.function_name(function)
        self._functions.update_function_code(FunctionName=name, ZipFile=package)
        self._functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        self._functions.update_function_configuration(FunctionName=name, MemorySize=memory_megabytes)
        return self._publish(name)

    def _publish(self, name: str) -> str:
        self._functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return str(self._functions.publish_version(FunctionName=name)["Version"])

    def package(self, change: Callable[[str, str], str] = lambda path, text: text) -> bytes:
        """Return the deployed package with each module of the product as `change` makes it of its path and text."""
        changed = BytesIO()
        with zipfile.ZipFile(BytesIO(self._package)) as source, zipfile.ZipFile(changed, "w") as target:
            for entry in source.infolist():
                content = source.read(entry)
                if entry.filename.startswith("orders/") and entry.filename.endswith(".py"):
                    content = change(entry.filename, content.decode()).encode()
                target.writestr(entry, content)
        return changed.getvalue()

    def update_mapping(self, function: str, **settings: Any) -> None:
        """Change the mapping that feeds a function."""
        arn = f"{self.function_name(function)}:live"
        [mapping] = [
            mapping
            for mapping in self._functions.list_event_source_mappings()["EventSourceMappings"]
            if mapping["FunctionArn"].endswith(arn)
        ]
        self._functions.update_event_source_mapping(UUID=mapping["UUID"], **settings)

    # Queues

    def hide_received_messages(self, seconds: int) -> None:
        """Set how long a message that was received is hidden from others."""
        self.sqs.set_queue_attributes(
            QueueUrl=self.outputs["orders_queue_url"], Attributes={"VisibilityTimeout": str(seconds)}
        )

    def waiting(self) -> int:
        """Return how many messages of the orders queue could be received now."""
        return self._counts("orders_queue_url")[0]

    def unsettled(self) -> int:
        """Return how many messages the orders queue holds, received ones included."""
        return sum(self._counts("orders_queue_url"))

    def dead(self) -> int:
        """Return how many messages the orders' dead-letter queue holds."""
        return sum(self._counts("orders_dlq_url"))

    def given_up(self) -> int:
        """Return how many places in the stream the notifications' dead-letter queue holds."""
        return sum(self._counts("notifications_dlq_url"))

    def _counts(self, queue: str) -> tuple[int, ...]:
        suffixes = ("", "NotVisible", "Delayed")
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])["Attributes"]
        return tuple(int(attributes[f"ApproximateNumberOfMessages{suffix}"]) for suffix in suffixes)

    # What became of the orders

    def rows(self) -> list[ProcessedOrder]:
        """Return every item of the table."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.outputs["orders_table_name"], ConsistentRead=True
        )
        return [read_item(item) for page in pages for item in page["Items"]]

    def announcements_given_up(self) -> set[str]:
        """Return the ids of the orders to whose place in the stream the notifications' dead-letter queue points.

        What is there names the records and does not hold them; they are read from the stream, as a person would.
        """
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

    @contextmanager
    def announcements(self) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Subscribe to completed orders; yield what returns those announced since it was last called."""
        with self.stack.subscribed_queue(self.outputs["order_completed_topic_arn"], "campaign") as read:
            yield lambda: [json.loads(message["Message"]) for message in read()]
