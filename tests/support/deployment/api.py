"""A client that sends exact requests to the deployed HTTP API."""

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Response:
    """An HTTP response; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            document = self.json()
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class DeployedApi:
    """The API behind `endpoint`. The name in an address of the emulator, without TLS, need not resolve."""

    endpoint: str
    timeout_seconds: float = 60
    """Timeout of a response."""

    def post(self, body: bytes | None, headers: Mapping[str, str] = JSON_TYPE) -> Response:
        """Send POST /orders with exactly this body and these headers."""
        return self.send("POST", "/orders", body, headers)

    def get(self, order_id: str) -> Response:
        """Send GET /orders/{order_id}."""
        return self.send("GET", f"/orders/{order_id}")

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> Response:
        """Send one request, with exactly these headers, on its own connection."""
        address = urlsplit(self.endpoint)
        is_secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        host = address.hostname or "" if is_secure else "127.0.0.1"
        connection = connect(host, address.port, timeout=self.timeout_seconds)
        try:
            connection.putrequest(method, address.path + path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", address.netloc)
            for name, value in headers.items() if isinstance(headers, Mapping) else headers or ():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return _read(connection.getresponse())
        finally:
            connection.close()

    def exchange(self, method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]], rest: bytes) -> Response:
        """Send exactly these bytes, which need not be valid HTTP, with the API's Host header.

        `rest` follows the headers; `headers` must contain its length.
        """
        address = urlsplit(self.endpoint)
        fields = [(b"Host", address.netloc.encode()), (b"Connection", b"close"), *headers]
        head = b"%b %b HTTP/1.1\r\n" % (method, address.path.encode() + target)
        head += b"".join(b"%b: %b\r\n" % field for field in fields)
        with socket.create_connection(("127.0.0.1", address.port or 80), timeout=60) as connection:
            connection.sendall(head + b"\r\n" + rest)
            response = http.client.HTTPResponse(connection, method=method.decode())
            response.begin()
            return _read(response)


def _read(response: http.client.HTTPResponse) -> Response:
    return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
