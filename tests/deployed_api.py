"""Speaking to the deployed HTTP API, byte for byte."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class DeployedApi:
    """The API behind `endpoint`, an address of the emulator whose name need not resolve."""

    endpoint: str

    def post(self, body: bytes | None, headers: Mapping[str, str] = JSON_TYPE) -> Answer:
        """Send POST /orders with exactly this body and these headers."""
        return self.send("POST", "/orders", body, headers)

    def get(self, order_id: str) -> Answer:
        """Send GET /orders/{order_id}."""
        return self.send("GET", f"/orders/{order_id}")

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
        try:
            connection.putrequest(method, address.path + path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", address.netloc)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()
