"""The proxy between the functions and the AWS APIs.

The functions' SDK is told its address and signs for it; what is passed on is passed on as it came. A fault decides what
becomes of a request, and of its answer.
"""

import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_stack.aws import AwsConnection
from local_stack.machine import LOOPBACK

# The emulator answers in milliseconds; a machine under load gets longer.
_UPSTREAM_SECONDS = 30

# Between looks at whether a client is still there.
_LOOK_SECONDS = 0.1

_SIGNATURE_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "content-length", "accept-encoding")


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as it goes to a function."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error_code(self) -> str:
        """AWS's code of the error that this answer is, or empty."""
        if self.status < 400:
            return ""
        try:
            return str(json.loads(self.body)["__type"]).rpartition("#")[2]
        except (ValueError, KeyError, TypeError):
            text = self.body.decode("utf-8", "replace")
            return text.partition("<Code>")[2].partition("</Code>")[0]


class Exchange:
    """One request of a function, and the ways to deal with it."""

    def __init__(self, handler: "_Handler", body: bytes) -> None:
        self.headers = dict(handler.headers.items())
        self.path = handler.path
        self.body = body
        self.operation = _operation(handler.headers.get("X-Amz-Target"), body)
        """The API operation, such as ``SendMessage``."""
        self.client_port: int = handler.client_address[1]
        """The port at the function's end of the connection."""
        self._connection = handler.connection
        self._proxy = handler.proxy

    def forward(self) -> HttpAnswer:
        """Pass the request on exactly as it came; return the answer."""
        return self._send(self.headers, self.body)

    def forward_instead(self, body: bytes, service: str) -> HttpAnswer:
        """Pass on another body in the place of this one, signed anew with the rights of the account's owner."""
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _SIGNATURE_HEADERS}
        request = AWSRequest("POST", f"http://{self.headers['Host']}{self.path}", headers=kept, data=body)
        owner = self._proxy.aws.credentials
        credentials = Credentials(owner.access_key, owner.secret_key)
        SigV4Auth(credentials, service, self._proxy.aws.region).add_auth(request)
        return self._send({**dict(request.headers.items()), "Content-Length": str(len(body))}, body)

    def wait_until_client_gives_up(self, seconds: float) -> None:
        """Return when the function has closed its connection, the faults are over, or after so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._proxy.faults_are_over.is_set():
            readable, _, _ = select.select([self._connection], [], [], _LOOK_SECONDS)
            if readable and not self._connection.recv(1, socket.MSG_PEEK):
                return

    def delay(self, seconds: float) -> None:
        """Return after so long, or when the faults are over."""
        self._proxy.faults_are_over.wait(seconds)

    def _send(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        # A connection of its own: on a kept one, a failure would leave open whether the request has been done.
        connection = http.client.HTTPConnection(
            urlsplit(self._proxy.aws.endpoint_url).netloc, timeout=_UPSTREAM_SECONDS
        )
        with contextlib.closing(connection):
            connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = HttpAnswer(response.status, dict(response.getheaders()), response.read())
        self._proxy.interceptor.saw(self, answer)
        return answer


class Interceptor(Protocol):
    """Decides what becomes of requests."""

    def answer(self, exchange: Exchange) -> HttpAnswer | None:
        """Deal with a request: return what the function is to get, or None to end its connection unanswered."""

    def saw(self, exchange: Exchange, answer: HttpAnswer) -> None:
        """Take note of an answer of the AWS API, whatever becomes of it."""


class Proxy:
    """Listens on loopback for the length of a `with` block."""

    def __init__(self, aws: AwsConnection, interceptor: Interceptor) -> None:
        self.aws = aws
        self.interceptor = interceptor
        self.faults_are_over = threading.Event()
        """Ends every delay at once."""
        self._under_way = 0
        self._lock = threading.Lock()
        self._server = _Server((LOOPBACK, 0), type("Handler", (_Handler,), {"proxy": self}))

    @property
    def url(self) -> str:
        """The address that the functions are to use for an AWS API."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet."""
        return self._under_way

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults_are_over.set()
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way for the length of a `with` block."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many functions start at once.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a function that was killed in the middle of a request is no error here."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Let the interceptor deal with a request."""
        with self.proxy.counted():
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                answer = self.proxy.interceptor.answer(Exchange(self, body))
            except (OSError, http.client.HTTPException):
                answer = None  # the AWS API is not there, or has gone in the middle
            if answer is None:
                self.close_connection = True
                return
            # One write: two would wait for each other, by Nagle's algorithm and delayed acknowledgement.
            self.wfile.write(_as_bytes(answer))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _as_bytes(answer: HttpAnswer) -> bytes:
    skipped = ("content-length", "transfer-encoding", "connection")
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if name.lower() not in skipped]
    lines += [f"Content-Length: {len(answer.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.body


def _operation(target: str | None, body: bytes) -> str:
    """Return a request's operation, by the header of AWS's JSON protocol or the form field of its query protocol."""
    if target:
        return target.rpartition(".")[2]
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
