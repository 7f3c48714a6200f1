"""A client of a deployed stack for end-to-end tests: its API, queues, table, logs, alarms and mailbox."""

import json
import mailbox
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from email.message import Message
from pathlib import Path
from typing import Any, Protocol

from local_stack import Settings
from local_stack.aws import AwsConnection
from orders.domain.message import write_message
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import random_order_id
from support.deployment.api import DeployedApi
from support.deployment.package import changed_zip, lambda_zip
from support.deployment.subscription import subscribed_queue
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for


class RunningBackend(Protocol):
    """The local stack, or a part of it, that runs the backend."""

    @property
    def settings(self) -> Settings: ...
    @property
    def outputs(self) -> dict[str, str]: ...
    @property
    def mailbox(self) -> Path: ...
    @property
    def connection(self) -> AwsConnection: ...
    @property
    def api_url(self) -> str: ...
    def client(self, service: str) -> Any: ...


class DeployedStack:
    def __init__(self, local: RunningBackend) -> None:
        self.local = local
        self.outputs = local.outputs
        self.prefix = f"{local.settings.project}-{local.settings.environment}"
        self.api = DeployedApi(local.outputs["api_endpoint"])
        self._sqs, self._dynamodb, self._logs = map(local.client, ("sqs", "dynamodb", "logs"))

    def client(self, service: str) -> Any:
        return self.local.client(service)

    def arn(self, service: str, resource: str) -> str:
        account = self.outputs["alerts_topic_arn"].split(":")[4]
        return f"arn:aws:{service}:{self.local.settings.region}:{account}:{resource}"

    def queue_url(self, queue: str) -> str:
        """Return the address of one of the queues: orders, orders-dlq or notifications-dlq."""
        return str(self._sqs.get_queue_url(QueueName=f"{self.prefix}-{queue}")["QueueUrl"])

    def role(self, function: str) -> str:
        configuration = self.client("lambda").get_function_configuration(FunctionName=f"{self.prefix}-{function}")
        return str(configuration["Role"])

    def place(self) -> str:
        """Place an order; return its ID once it is stored."""
        order_id = str(self.api.post(SAMPLE_BODY).json()["order_id"])
        self.wait_until_processed(order_id)
        return order_id

    def warm_up(self) -> None:
        """Start every function by processing one order."""
        order_id = self.place()
        wait_for("the announcement", lambda: self.events("notification", "order_notified", order_id))

    def wait_until_processed(self, order_id: str, seconds: float = 30) -> dict[str, Any]:
        """Return the response to GET /orders/{order_id} once the order is PROCESSED."""

        def processed() -> dict[str, Any] | None:
            response: dict[str, Any] = self.api.get(order_id).json()
            return response if response["status"] == "PROCESSED" else None

        return wait_for(f"order {order_id}", processed, seconds)

    def item(self, order_id: str) -> Any:
        return self._dynamodb.get_item(
            TableName=self.outputs["orders_table_name"],
            Key={"order_id": {"S": order_id}},
            ConsistentRead=True,
        )["Item"]

    def order_ids_of(self, customer_id: str) -> list[str]:
        """Return the ids of a customer's stored orders, one per row, from the index by_customer."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.outputs["orders_table_name"],
            IndexName="by_customer",
            KeyConditionExpression="customer_id = :customer_id",
            ExpressionAttributeValues={":customer_id": {"S": customer_id}},
        )
        return [item["order_id"]["S"] for page in pages for item in page["Items"]]

    def message(self, customer_id: str, *, quantity: int = 1) -> dict[str, Any]:
        """Return a queue message as the submission function writes it."""
        order = Order(customer_id, "Banana", quantity, "2025-04-25")
        order_id = random_order_id(os.urandom(12))
        submitted = SubmittedOrder(order_id, order, "2025-04-25T10:00:00.000Z", f"test-{order_id}")
        message: dict[str, Any] = json.loads(write_message(submitted))
        assert message["order"] == asdict(order)
        return message

    def send_to_queue(self, *messages: dict[str, Any] | str, queue: str = "orders_queue_url") -> None:
        """Send messages directly to a queue, ten per request."""
        for start in range(0, len(messages), 10):
            response = self._sqs.send_message_batch(
                QueueUrl=self.outputs[queue],
                Entries=[
                    {"Id": str(place), "MessageBody": m if isinstance(m, str) else json.dumps(m)}
                    for place, m in enumerate(messages[start : start + 10])
                ],
            )
            assert not response.get("Failed")

    def messages(self, queue: str) -> int:
        """Return the number of messages in a queue, including those in flight."""
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
        response = self._sqs.get_queue_attributes(QueueUrl=self.queue_url(queue), AttributeNames=names)
        return sum(map(int, response["Attributes"].values()))

    def dead_letters(self) -> list[Any]:
        """Return the messages of the orders' dead-letter queue; they stay in it, visible."""
        received = self._sqs.receive_message(
            QueueUrl=self.outputs["orders_dlq_url"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
        )
        return list(received.get("Messages", []))

    def log_of(self, function: str, text: str = "") -> str:
        """Return the lines of a function's log, or those that contain a text."""
        group, pattern = f"/aws/lambda/{self.prefix}-{function}", f'"{text}"' if text else ""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=pattern)
        return "\n".join(event["message"] for page in pages for event in page["events"])

    def events(self, function: str, name: str | None = None, order_id: str | None = None) -> list[dict[str, Any]]:
        """Return a function's log events in order, filtered by name and order if given."""
        log = self.log_of(function, order_id or name or "")
        events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return [
            event for event in events if name in (None, event["message"]) and order_id in (None, event.get("order_id"))
        ]

    def alarm_state(self, name: str) -> str:
        [alarm] = self.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    def mails_about(self, text: str) -> list[Message]:
        """Return the e-mails in the mailbox whose subject contains `text`."""
        box = mailbox.Maildir(self.local.mailbox, create=False)
        return [mail for mail in box if text in mail["Subject"]]

    def mapping(self, function: str) -> dict[str, Any]:
        """Return a function's event source mapping."""
        functions, name = self.client("lambda"), f"{self.prefix}-{function}:live"
        [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return dict(functions.get_event_source_mapping(UUID=mapping["UUID"]))

    def publish(self, function: str, member: str, change: Callable[[str], str], **configuration: Any) -> str:
        """Publish a version with the text of one file of the package changed; do not serve it."""
        functions, name = self.client("lambda"), {"FunctionName": f"{self.prefix}-{function}"}
        functions.update_function_code(**name, ZipFile=changed_zip(lambda_zip("local"), member, change))
        functions.update_function_configuration(**name, **configuration)
        return str(functions.publish_version(**name)["Version"])

    def serve(self, function: str, version: str) -> str:
        """Point a function's alias to a version; return the version before."""
        functions, alias = self.client("lambda"), {"FunctionName": f"{self.prefix}-{function}", "Name": "live"}
        former = str(functions.get_alias(**alias)["FunctionVersion"])
        functions.update_alias(**alias, FunctionVersion=version)
        return former

    @contextmanager
    def serving(self, versions: Mapping[str, str]) -> Iterator[None]:
        """Serve these versions of functions during a `with` block."""
        former = {function: self.serve(function, version) for function, version in versions.items()}
        try:
            yield
        finally:
            for function, version in former.items():
                self.serve(function, version)

    @contextmanager
    def permission_removed(self, function: str, action: str) -> Iterator[None]:
        """Deny a function's role one action during a `with` block."""
        iam = self.client("iam")
        role = self.role(function).rpartition("/")[2]
        policy = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": action, "Resource": "*"}}
        iam.put_role_policy(RoleName=role, PolicyName="removed-by-test", PolicyDocument=json.dumps(policy))
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="removed-by-test")

    @contextmanager
    def processing_off(self) -> Iterator[None]:
        """Disable the processing of queued orders during a `with` block."""
        mapping = self.mapping("processing")

        def switch(enabled: bool, state: str) -> None:
            self.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
            wait_for(state, lambda: self.mapping("processing")["State"] == state)

        switch(False, "Disabled")
        try:
            yield
        finally:
            switch(True, "Enabled")

    @contextmanager
    def quick_redelivery(self) -> Iterator[None]:
        """Deliver failed orders again after two seconds instead of twelve, because five receives would take a minute."""
        url, name = self.outputs["orders_queue_url"], "VisibilityTimeout"
        before = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={name: "2"})
        try:
            yield
        finally:
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})

    def subscribed_queue(self, topic_arn: str, name: str) -> AbstractContextManager[Callable[[], list[Any]]]:
        """Subscribe a queue to a topic during a `with` block; yield a function that returns its new messages."""
        return subscribed_queue(self.client, topic_arn, name)
