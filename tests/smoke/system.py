"""The deployment under test."""

import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3

FUNCTIONS = ("submission", "processing", "status", "notification")
QUEUES = ("orders_queue_url", "orders_dlq_url", "notifications_dlq_url")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Response:
    """A response of the API."""

    status: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class System:
    """A deployed system, by the names of its Terraform outputs. boto3 finds region, credentials and endpoint."""

    outputs: Mapping[str, str]

    @property
    def prefix(self) -> str:
        """The first part of every name: project and environment."""
        return self.outputs["dashboard_name"]

    @property
    def environment(self) -> str:
        return self.prefix.rpartition("-")[2]

    @property
    def endpoint_url(self) -> str | None:
        """The address of an emulator; None on AWS."""
        return os.environ.get("AWS_ENDPOINT_URL")

    @property
    def api(self) -> dict[str, Any]:
        pages = self.client("apigatewayv2").get_paginator("get_apis").paginate()
        [api] = [api for page in pages for api in page["Items"] if api["Name"] == f"{self.prefix}-orders"]
        return dict(api)

    @property
    def access_log(self) -> str:
        return f"/aws/vendedlogs/apigateway/{self.prefix}-orders"

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(service, **options)

    def all(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """Return the items of all pages of an operation."""
        pages = self.client(service).get_paginator(operation).paginate(**arguments)
        return [item for page in pages for item in page[key]]

    def log_group(self, function: str) -> str:
        return f"/aws/lambda/{self.prefix}-{function}"

    def log_lines(self, group: str) -> list[str]:
        """Return some lines of a log of the last day."""
        since = int((datetime.now(UTC) - DAY).timestamp() * 1000)
        found = self.client("logs").filter_log_events(logGroupName=group, startTime=since, limit=50)["events"]
        return [event["message"] for event in found]

    def request(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes | None = None
    ) -> Response:
        """Send one request to the API, with exactly these headers."""
        endpoint = self.outputs["api_endpoint"]
        if self.endpoint_url:  # many resolvers do not know the emulator's name of an API
            endpoint = f"{self.endpoint_url}/_aws/execute-api/{self.api['ApiId']}/$default"
        address = urlsplit(endpoint)
        secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        context: dict[str, Any] = {"context": ssl.create_default_context()} if secure else {}
        connection = connect(address.hostname or "", address.port, timeout=60, **context)
        try:
            connection.putrequest(method, address.path + path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Response(response.status, response.read())
        finally:
            connection.close()


def wait_until(condition: Callable[[], bool], seconds: float, interval: float) -> bool:
    """Return whether the condition holds within this time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def lacking_data(alarms: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the alarms without data. Skip alarms that ignore missing data: their first state lasts until data arrives."""
    judging = [alarm for alarm in alarms if alarm.get("TreatMissingData") != "ignore"]
    return [alarm["AlarmName"] for alarm in judging if alarm["StateValue"] == "INSUFFICIENT_DATA"]
