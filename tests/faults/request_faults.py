"""The proxy between the functions and AWS. It forwards requests unchanged unless a request fault applies."""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from faults.fault_types import DISRUPTION_FAULTS, PUBLISH, REQUEST_FAULTS, STORE, RequestFault
from local_stack.aws import AwsConnection
from local_stack.machine import LOOPBACK
from support.deployment.api import Response

FAULTS: dict[str, RequestFault] = REQUEST_FAULTS | DISRUPTION_FAULTS

# The functions' SDK gives up after 4 s without a response (lambda/orders/adapters/clients.py).
_UNANSWERED_SECONDS = 5
# The emulator responds in milliseconds; this allows for a busy machine.
_UPSTREAM_SECONDS = 30
# A fault first occurs after at most this many applicable requests.
_LATEST_FIRST = 2

_ENTRY = "PublishBatchRequestEntries.member."
_SIGNATURE_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "content-length", "accept-encoding")
_CONNECTION_HEADERS = ("content-length", "transfer-encoding", "connection")
# The emulator runs each function in its own processes, started with this script.
_WORKER_SCRIPT = re.compile(rb"/ministack-lambda-[^ /]+/_worker\.")
_ESTABLISHED = "01"  # in /proc/net/tcp, see proc_pid_net(5)


class Exchange(BaseHTTPRequestHandler):
    """A function's request. HTTP/1.0 closes the connection after it, so each request has its own object."""

    server: "Proxy"
    body: bytes
    wbufsize = -1  # one write, because Nagle's algorithm and delayed acknowledgements would delay a second one

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        response = None
        with contextlib.suppress(OSError, http.client.HTTPException):  # the emulator is being restarted
            response = self.server.respond(self)
        if response is not None:  # else the connection is closed without a response
            self.send_response_only(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

    @property
    def operation(self) -> str:
        """The API operation, such as SendMessage."""
        if target := self.headers.get("X-Amz-Target"):  # AWS's JSON protocol; else its query protocol
            return str(target).rpartition(".")[2]
        return parse_qs(self.body.decode("utf-8", "replace")).get("Action", [""])[0]

    def forward(self) -> Response:
        """Forward the request unchanged; return the response."""
        return self._send(dict(self.headers.items()), self.body)

    def forward_part(self, places: Sequence[int]) -> Response:
        """Forward a batch with the entries at these places, signed again with the account owner's key."""
        if self.operation == STORE:
            batch = json.loads(self.body)
            batch["Statements"] = [batch["Statements"][place] for place in places]
            service, body = "dynamodb", json.dumps(batch).encode()
        else:
            entries = self.entries()
            form = [(name, value) for name, value in parse_qsl(self.body.decode()) if not name.startswith(_ENTRY)]
            for number, place in enumerate(places, 1):
                form += [(f"{_ENTRY}{number}.{name}", value) for name, value in entries[place].items()]
            service, body = "sns", urlencode(form).encode()
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _SIGNATURE_HEADERS}
        request = AWSRequest("POST", f"http://{self.headers['Host']}{self.path}", headers=kept, data=body)
        owner = self.server.aws.credentials
        SigV4Auth(Credentials(owner.access_key, owner.secret_key), service, self.server.aws.region).add_auth(request)
        return self._send({**dict(request.headers.items()), "Content-Length": str(len(body))}, body)

    def _send(self, headers: dict[str, str], body: bytes) -> Response:
        # Each request has its own connection. A broken kept-alive connection does not show whether AWS did the request.
        address = urlsplit(self.server.aws.endpoint_url).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=_UPSTREAM_SECONDS)) as connection:
            connection.request("POST", self.path, body, headers)
            received = connection.getresponse()
            kept = {name: value for name, value in received.getheaders() if name.lower() not in _CONNECTION_HEADERS}
            return Response(received.status, kept, received.read())

    def entries(self) -> list[dict[str, str]]:
        """Return the entries of a PublishBatch."""
        entries: dict[int, dict[str, str]] = defaultdict(dict)
        for name, value in parse_qsl(self.body.decode()):
            if name.startswith(_ENTRY):
                number, _, field_name = name.removeprefix(_ENTRY).partition(".")
                entries[int(number)][field_name] = value
        return [entries[number] for number in sorted(entries)]

    def size(self) -> int:
        """Return the number of entries of a batch, or 1."""
        if self.operation == STORE:
            return len(json.loads(self.body)["Statements"])
        return len(self.entries()) if self.operation == PUBLISH else 1


@dataclass
class _Active:
    name: str
    seed: int
    seen: int = 0
    is_injected: bool = False


class Proxy(ThreadingHTTPServer):
    """Listens on loopback during `running`; injects the active faults and counts them."""

    daemon_threads = True
    request_queue_size = 128  # many functions start at once

    def __init__(self, aws: AwsConnection) -> None:
        super().__init__((LOOPBACK, 0), Exchange)
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}"
        self.aws = aws
        self.injected: Counter[str] = Counter()
        self.late_copies: list[Exchange] = []
        """Messages to deliver again, long after the first delivery."""
        self.faults_are_over = threading.Event()
        """Ends the delays."""
        self._silenced: set[int] = set()  # process ids of functions that get no more responses
        self._active: list[_Active] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        threading.Thread(target=self.serve_forever, args=(0.1,), name="proxy", daemon=True).start()
        try:
            yield
        finally:
            self.faults_are_over.set()
            self.shutdown()
            self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: functions are killed in the middle of requests."""

    @contextlib.contextmanager
    def active(self, seed: int, names: Sequence[str]) -> Iterator[None]:
        """Inject these faults during a `with` block."""
        added = [_Active(name, seed) for name in names]
        with self._lock:
            self._active = added + self._active
        try:
            yield
        finally:
            with self._lock:
                self._active = [active for active in self._active if active not in added]
                self._silenced.clear()

    def note(self, name: str) -> None:
        with self._lock:
            self.injected[name] += 1

    def respond(self, request: Exchange) -> Response | None:
        """Return the response to a request, or None to close the connection."""
        port = request.client_address[1]
        if self._silenced and _function_at(port) in self._silenced:
            self.faults_are_over.wait(_UNANSWERED_SECONDS)
            return None
        drawn = self._draw(request)
        if drawn is None:
            return request.forward()
        active, rng = drawn
        fault, response = FAULTS[active.name], None
        if fault.delay_seconds:
            self.faults_are_over.wait(rng.uniform(*fault.delay_seconds))
        if fault.item_errors and request.operation in (STORE, PUBLISH) and (not fault.errors or rng.random() < 0.5):
            response = _fail_items(request, rng, rng.choice(fault.item_errors))
        elif fault.errors:
            response = _error(request, *rng.choice(fault.errors))
        elif fault.effect == "half":
            response = request.forward_part(range(request.size() // 2))
        elif fault.effect == "all" or (fault.effect == "maybe" and rng.random() < 0.5):
            response = request.forward()
        if fault.then in ("kill", "silence"):
            process_id = _function_at(port)
            if process_id is None:
                return None
            if fault.then == "kill":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
            else:  # its retry gets no response either, so Lambda ends it at its timeout
                self._silenced.add(process_id)
        if fault.then == "repeat" and rng.random() < 0.5:
            request.forward()
        elif fault.then == "repeat":
            self.late_copies.append(request)
        active.is_injected = True
        self.note(active.name)
        is_hanging = fault.then == "lose" and rng.random() < 0.1  # else the connection is closed
        if fault.then in ("hang", "silence") or is_hanging:
            self.faults_are_over.wait(_UNANSWERED_SECONDS)
        return response if fault.then in ("respond", "repeat") else None

    def _draw(self, request: Exchange) -> tuple[_Active, random.Random] | None:
        """Return the fault for this request. A fault's n-th applicable request always has the same random result."""
        with self._lock:
            for active in self._active:
                fault = FAULTS[active.name]
                if request.operation not in fault.operations or (fault.effect == "half" and request.size() < 2):
                    continue
                active.seen += 1
                rng = random.Random(f"{active.seed} {active.name} {active.seen}")
                if rng.random() < fault.share or (not active.is_injected and active.seen > _LATEST_FIRST):
                    return active, rng
        return None


def _function_at(port: int) -> int | None:
    """Return the process id of the function whose connection has this local port, or None."""
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{fields[9]}]"
        for fields in connections
        if fields[3] == _ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port
    }
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process is gone, or another user's
            is_function = _WORKER_SCRIPT.search((process / "cmdline").read_bytes().replace(b"\0", b" "))
            if is_function and any(os.readlink(each) in sockets for each in (process / "fd").iterdir()):
                return int(process.name)
    return None


def _json_response(status: int, document: object) -> Response:
    return Response(status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(document).encode())


def _xml(status: int, element: str, content: str) -> Response:
    body = f'<{element} xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{content}</{element}>'
    return Response(status, {"Content-Type": "text/xml"}, body.encode())


def _error(request: Exchange, status: int, code: str) -> Response:
    if request.operation != PUBLISH:
        return _json_response(status, {"__type": f"com.amazonaws#{code}", "message": "injected"})
    return _xml(status, "ErrorResponse", f"<Error><Code>{code}</Code><Message>injected</Message></Error>")


def _fail_items(request: Exchange, rng: random.Random, code: str) -> Response:
    """Reject some items of a batch with `code`; the others take effect."""
    size = request.size()
    done = sorted(rng.sample(range(size), rng.randint(0, size - 1)))
    response = request.forward_part(done) if done else None
    if response is not None and response.status != 200:
        return response
    if request.operation == STORE:
        error = {"Error": {"Code": code, "Message": "injected"}}
        responses = iter(response.json()["Responses"] if response else ())
        return _json_response(200, {"Responses": [next(responses) if i in done else error for i in range(size)]})
    text = response.body.decode() if response else ""
    published = "".join(re.findall("<Successful>(.*?)</Successful>", text, re.DOTALL))
    failed = "".join(
        f"<member><Id>{entry['Id']}</Id><Code>{code}</Code><SenderFault>false</SenderFault></member>"
        for place, entry in enumerate(request.entries())
        if place not in done
    )
    result = f"<Successful>{published}</Successful><Failed>{failed}</Failed>"
    return _xml(200, "PublishBatchResponse", f"<PublishBatchResult>{result}</PublishBatchResult>")
