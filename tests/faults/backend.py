"""The deployed backend without a storefront. The test changes and restarts it."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from local_stack import Settings
from local_stack.cloudformation import CloudFormationDeployment
from local_stack.deployment import built_package
from local_stack.emulator import running_emulator
from local_stack.machine import RunLock, free_port
from local_stack.report import Report
from local_stack.stack import resolvable_api_url
from orders.adapters.dynamodb import read_item
from orders.domain.order import ProcessedOrder
from orders_cli.notifications import failed_notification, new_orders
from orders_cli.queue import Depth, Message, Queue, RateLimit, Read, move, peek
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
        backend = Backend(settings, lock)
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


class Killed(BaseException):
    """A redrive was killed."""


class Backend:
    outputs: dict[str, str]

    def __init__(self, settings: Settings, lock: RunLock) -> None:
        self.settings = settings
        self.connection = settings.connection
        self.mailbox = settings.local_directory / "mailbox"
        self._lambda, self._sqs = self.client("lambda"), self.client("sqs")
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

    def set_endpoint(self, url: str) -> None:
        """Make all functions call SQS, DynamoDB and SNS at `url`."""
        for function in _FUNCTIONS:
            name = {"FunctionName": f"{self.stack.prefix}-{function}"}
            variables = self._lambda.get_function_configuration(**name)["Environment"]["Variables"]
            variables |= dict.fromkeys(_ENDPOINT_VARIABLES, url)
            self._lambda.update_function_configuration(**name, Environment={"Variables": variables})
            self.stack.serve(function, str(self._lambda.publish_version(**name)["Version"]))

    def update_mapping(self, function: str, **settings: Any) -> None:
        self._lambda.update_event_source_mapping(UUID=self.stack.mapping(function)["UUID"], **settings)

    def set_visibility_timeout(self, seconds: int) -> None:
        attributes = {"VisibilityTimeout": str(seconds)}
        self._sqs.set_queue_attributes(QueueUrl=self.outputs["orders_queue_url"], Attributes=attributes)

    @contextmanager
    def visibility_timeout(self, seconds: int) -> Iterator[None]:
        """Change the orders queue's visibility timeout during a `with` block."""
        self.set_visibility_timeout(seconds)
        try:
            yield
        finally:
            self.set_visibility_timeout(VISIBILITY_SECONDS)

    def depth(self, queue: str = "orders_queue_url") -> Depth:
        return self._queue(queue).depth()

    def dead_letters(self, queue: str, read: Callable[[Message], Read]) -> list[Read]:
        """Return what `read` returns for each message of a queue. The messages stay in it."""
        return peek(self._queue(queue), read)[0] if self.depth(queue).total else []

    def redrive(self, is_wanted: Callable[[str], bool], killed_after: int | None = None) -> int:
        """Move the wanted dead letters to the queue as `orders dlq redrive` does; return how many.

        With `killed_after`, raise Killed after that many messages, before the last of them are deleted.
        """
        queue, dlq, sent = self._queue("orders_queue_url"), self._queue("orders_dlq_url"), 0

        def transfer(messages: Sequence[Message]) -> Sequence[Message]:
            nonlocal sent
            queue.send(messages)
            sent += len(messages)
            if killed_after is not None and sent > killed_after:
                raise Killed
            return messages

        letters = self.dead_letters("orders_dlq_url", lambda letter: letter)
        wanted = {letter["MessageId"] for letter in letters if is_wanted(letter["Body"])}
        return sum(move(wanted, dlq, transfer, RateLimit()))

    def _queue(self, name: str) -> Queue:
        return Queue(self._sqs, self.outputs[name])

    def rows(self) -> list[ProcessedOrder]:
        scan = self.client("dynamodb").get_paginator("scan")
        pages = scan.paginate(TableName=self.outputs["orders_table_name"], ConsistentRead=True)
        return [read_item(item) for page in pages for item in page["Items"]]

    def announcements_given_up(self) -> set[str]:
        """Return the ids of the orders to which the notifications' dead letters refer."""
        streams = self.client("dynamodbstreams")
        letters = self.dead_letters("notifications_dlq_url", failed_notification)
        return {item["order_id"]["S"] for letter in letters for item in new_orders(streams, letter) or ()}
