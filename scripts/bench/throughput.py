"""Throughput on the local stack: intake and draining, each compared with a bare function.

A bare function is another version of the real one; only the handler differs. The alias `live` switches between them.
"""

import http.client
import io
import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from bench.measurement import Measurement
from local_stack import LocalStack
from orders.domain.message import write_message
from orders.domain.order import Order, SubmittedOrder
from orders.domain.order_id import RANDOM_BYTES, random_order_id

_BARE = Path(__file__).with_name("bare")
_BODY = b'{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
_HEADERS = {"Content-Type": "application/json"}
_CONNECTIONS = 8

_TIMEOUT_SECONDS = 240
_POLL_SECONDS = 0.02


class Throughput:
    """The queue, table and functions of a running stack."""

    def __init__(self, stack: LocalStack, zip_path: Path) -> None:
        self._stack = stack
        self._zip_path = zip_path
        self._lambda = stack.client("lambda")
        self._sqs = stack.client("sqs")
        self._queue_url = stack.outputs["orders_queue_url"]
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        [self._mapping_id] = [mapping["UUID"] for mapping in mappings if ":sqs:" in mapping["EventSourceArn"]]
        # Processing is off during intake, and notification is off while draining.
        self._wait_until_empty()
        for mapping in mappings:
            self._switch(mapping["UUID"], on=False)

    def intake(self, rounds: int, seconds: float) -> Measurement:
        """Measure how many orders per second the API accepts."""
        name = f"orders per second, {_CONNECTIONS} connections"
        own, bare = self._sample("submission", rounds, lambda: self._accepted_per_second(seconds))
        return Measurement(name, "/s", own, bare, "a function that only sends", 0.9, more_is_better=True)

    def draining(self, rounds: int, orders: int) -> Measurement:
        """Measure how long processing takes to store queued orders."""
        own, bare = self._sample("processing", rounds, lambda: self._seconds_to_drain(orders))
        return Measurement(f"draining {orders:,} orders", "s", own, bare, "one unconditional put per message", 1.2)

    def _sample(self, function: str, rounds: int, run: Callable[[], float]) -> tuple[list[float], list[float]]:
        """Return samples of a function and of its bare version, taken in turn. The first round starts the workers."""
        name = f"{self._stack.settings.project}-{self._stack.settings.environment}-{function}"
        own = self._lambda.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        samples: dict[str, list[float]] = {own: [], self._publish_bare(name, function): []}
        for number in range(rounds + 1):
            # Alternate the order, because one load may slow the next.
            for version in list(samples)[:: 1 if number % 2 else -1]:
                self._lambda.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
                samples[version].append(run())
        own_samples, bare_samples = (values[1:] for values in samples.values())
        return own_samples, bare_samples

    def _accepted_per_second(self, seconds: float) -> float:
        """Send orders on all connections, each as soon as the previous response arrives; then empty the queue."""
        address = urlsplit(self._stack.api_url)
        started = time.perf_counter()

        def accepted_orders(_: int) -> int:
            accepted, host = 0, address.hostname or ""
            with closing(http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_SECONDS)) as connection:
                while time.perf_counter() - started < seconds:
                    connection.request("POST", f"{address.path}/orders", _BODY, _HEADERS)
                    response = connection.getresponse()
                    body = response.read()
                    if response.status != 202:
                        raise RuntimeError(f"POST /orders returned {response.status}: {body[:300]!r}")
                    accepted += 1
            return accepted

        with ThreadPoolExecutor(_CONNECTIONS) as clients:
            accepted = sum(clients.map(accepted_orders, range(_CONNECTIONS)))
        rate = accepted / (time.perf_counter() - started)
        self._sqs.purge_queue(QueueUrl=self._queue_url)
        self._wait_until_empty()
        return rate

    def _seconds_to_drain(self, orders: int) -> float:
        customer_id = f"bench-{uuid.uuid4().hex[:12]}"
        bodies = [_message(customer_id) for _ in range(orders)]
        for start in range(0, orders, 10):
            entries = [
                {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[start : start + 10])
            ]
            if failed := self._sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries).get("Failed"):
                raise RuntimeError(f"SQS rejected messages: {failed}")
        started = time.perf_counter()
        self._switch(self._mapping_id, on=True)
        self._wait_until_empty()
        seconds = time.perf_counter() - started
        self._switch(self._mapping_id, on=False)
        if (stored := self._stored(customer_id)) != orders:
            raise RuntimeError(f"{stored} of {orders} drained orders are stored")
        return seconds

    def _wait_until_empty(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while True:
            response = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=names)
            if not any(map(int, response["Attributes"].values())):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the queue was not drained within {_TIMEOUT_SECONDS} s: {response['Attributes']}")
            time.sleep(_POLL_SECONDS)

    def _stored(self, customer_id: str) -> int:
        # 2,000 orders fit into one page of 1 MB.
        response = self._stack.client("dynamodb").query(
            TableName=self._stack.outputs["orders_table_name"],
            IndexName="by_customer",
            KeyConditionExpression="customer_id = :customer_id",
            ExpressionAttributeValues={":customer_id": {"S": customer_id}},
            Select="COUNT",
        )
        return int(response["Count"])

    def _switch(self, mapping_id: str, *, on: bool) -> None:
        self._lambda.update_event_source_mapping(UUID=mapping_id, Enabled=on)

    def _publish_bare(self, name: str, function: str) -> str:
        """Publish the bare version of a function; return the version."""
        if function == "processing":
            # The real function's role may insert, but not put.
            role = self._lambda.get_function_configuration(FunctionName=name)["Role"]
            puts = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}
            self._stack.client("iam").put_role_policy(
                RoleName=role.rpartition("/")[2],
                PolicyName="bench",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": puts}),
            )
        code = io.BytesIO(self._zip_path.read_bytes())
        with zipfile.ZipFile(code, "a") as archive:
            archive.write(_BARE / f"bare_{function}.py", f"bare_{function}.py")
        self._lambda.update_function_configuration(FunctionName=name, Handler=f"bare_{function}.handler")
        published = self._lambda.update_function_code(FunctionName=name, ZipFile=code.getvalue(), Publish=True)
        return str(published["Version"])


def _message(customer_id: str) -> str:
    order = Order(customer_id, "Banana", 1, "2025-04-25")
    order_id = random_order_id(os.urandom(RANDOM_BYTES))
    return write_message(SubmittedOrder(order_id, order, "2025-04-25T10:00:00.000Z", "bench"))
