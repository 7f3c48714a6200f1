"""The proxy between the functions and AWS. It forwards requests unchanged unless a fault applies."""

import contextlib
import http.client
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_stack.aws import AwsConnection
from local_stack.machine import LOOPBACK

# The emulator responds in milliseconds; this allows for a busy machine.
_UPSTREAM_SECONDS = 30
_POLL_SECONDS = 0.1
_SIGNATURE_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "content-length", "accept-encoding")


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """A function's request, and the ways to handle it."""

    def __init__(self, handler: "_Handler", body: bytes) -> None:
        self.headers = dict(handler.headers.items())
        self.path = handler.path
        self.body = body
        self.client_port: int = handler.client_address[1]
        self._connection = handler.connection
        self._proxy = handler.proxy

    @property
    def operation(self) -> str:
        """The API operation, such as SendMessage."""
        if target := self.headers.get("X-Amz-Target"):  # AWS's JSON protocol; else its query protocol
            return target.rpartition(".")[2]
        return parse_qs(self.body.decode("utf-8", "replace")).get("Action", [""])[0]

    def forward(self) -> HttpResponse:
        """Forward the request unchanged; return the response."""
        return self._send(self.headers, self.body)

    def forward_instead(self, body: bytes, service: str) -> HttpResponse:
        """Forward the request with another body, signed again with the account owner's key."""
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _SIGNATURE_HEADERS}
        request = AWSRequest("POST", f"http://{self.headers['Host']}{self.path}", headers=kept, data=body)
        owner = self._proxy.aws.credentials
        SigV4Auth(Credentials(owner.access_key, owner.secret_key), service, self._proxy.aws.region).add_auth(request)
        return self._send({**dict(request.headers.items()), "Content-Length": str(len(body))}, body)

    def wait_for_client_to_give_up(self, seconds: float) -> None:
        """Wait until the function has closed its connection, the faults are over, or a time limit has passed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._proxy.faults_are_over.is_set():
            readable, _, _ = select.select([self._connection], [], [], _POLL_SECONDS)
            if readable and not self._connection.recv(1, socket.MSG_PEEK):
                return

    def delay(self, seconds: float) -> None:
        """Wait, but not after the faults are over."""
        self._proxy.faults_are_over.wait(seconds)

    def _send(self, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        # Each request has its own connection. A broken kept-alive connection does not show whether AWS did the request.
        address = urlsplit(self._proxy.aws.endpoint_url).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=_UPSTREAM_SECONDS)) as connection:
            connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            received = connection.getresponse()
            return HttpResponse(received.status, dict(received.getheaders()), received.read())


class Proxy:
    """Listens on loopback within a `with` block; `respond` returns a response, or None to close the connection."""

    def __init__(self, aws: AwsConnection, respond: Callable[[Exchange], HttpResponse | None]) -> None:
        self.aws = aws
        self.respond = respond
        self.faults_are_over = threading.Event()
        self._server = _Server((LOOPBACK, 0), type("Handler", (_Handler,), {"proxy": self}))
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults_are_over.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many functions start at once

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: functions are killed in the middle of requests."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            response = self.proxy.respond(Exchange(self, body))
        except (OSError, http.client.HTTPException):
            response = None  # the emulator is being restarted
        if response is None:
            self.close_connection = True
            return
        # One write, because Nagle's algorithm and delayed acknowledgements would delay a second one.
        self.wfile.write(_to_bytes(response))

    def log_message(self, *_: object) -> None:
        pass


def _to_bytes(response: HttpResponse) -> bytes:
    skipped = ("content-length", "transfer-encoding", "connection")
    lines = [f"HTTP/1.1 {response.status} {http.client.responses.get(response.status, '')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() not in skipped]
    lines += [f"Content-Length: {len(response.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + response.body
