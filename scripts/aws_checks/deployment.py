"""The deployed system that is looked at: its outputs, and clients of its AWS APIs."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

FUNCTIONS = ("submission", "processing", "status", "notification")

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, an empty one where it is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Deployment:
    """A deployed system.

    `outputs` are by Terraform's names. `client` makes a boto3 client of a service, with boto3's options.
    `endpoint_url` is set where the AWS APIs are an emulator's.
    """

    outputs: Mapping[str, str]
    client: Callable[..., Any]
    endpoint_url: str | None = None
    autoscaling_group: str | None = None

    @property
    def prefix(self) -> str:
        """First part of every name: project and environment."""
        return self.outputs["dashboard_name"]

    @property
    def environment(self) -> str:
        """Stage of the deployment: dev, staging or prod."""
        return self.prefix.rpartition("-")[2]

    @property
    def api_id(self) -> str:
        """Id of the HTTP API."""
        return urlsplit(self.outputs["api_endpoint"]).netloc.split(".")[0]

    def log_group(self, function: str) -> str:
        """Return the name of a function's log."""
        return f"/aws/lambda/{self.prefix}-{function}"

    @property
    def access_log(self) -> str:
        """Name of the API's log."""
        return f"/aws/vendedlogs/apigateway/{self.prefix}-orders"

    @cached_property
    def stage(self) -> Mapping[str, Any]:
        """The API's stage, as API Gateway describes it."""
        [stage] = self.client("apigatewayv2").get_stages(ApiId=self.api_id)["Items"]
        described: Mapping[str, Any] = stage
        return described

    def queue_name(self, output: str) -> str:
        """Return the name of the queue whose address is this output."""
        return self.outputs[output].rpartition("/")[2]

    def request(self, method: str, path: str, headers: Headers = (), body: bytes | None = None) -> Answer:
        """Send one request to the API, with exactly these headers."""
        address = urlsplit(self._api_address)
        host, port = address.hostname or "", address.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=60, context=ssl.create_default_context())
            if address.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=60)
        )
        try:
            connection.putrequest(method, address.path + path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())
        finally:
            connection.close()

    @property
    def _api_address(self) -> str:
        # The emulator's own name for an API is one that not every resolver knows.
        if self.endpoint_url:
            return f"{self.endpoint_url}/_aws/execute-api/{self.api_id}/$default"
        return self.outputs["api_endpoint"]
