"""Inject request faults, by seed."""

import contextlib
import json
import os
import random
import re
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from faults.fault_types import DISRUPTION_FAULTS, PUBLISH, REQUEST_FAULTS, STORE, RequestFault
from faults.proxy import Exchange, HttpResponse

FAULTS: dict[str, RequestFault] = REQUEST_FAULTS | DISRUPTION_FAULTS

# lambda/orders/adapters/clients.py: the functions' SDK waits this long for a response.
_SDK_READ_SECONDS = 4
# A fault first occurs after at most this many applicable requests.
_LATEST_FIRST = 2

_ENTRY = "PublishBatchRequestEntries.member."
# The emulator runs each function in its own processes, started with this script.
_WORKER_SCRIPT = re.compile(rb"/ministack-lambda-[^ /]+/_worker\.")
_ESTABLISHED = "01"  # in /proc/net/tcp, see proc_pid_net(5)


@dataclass
class _Active:
    name: str
    seed: int
    seen: int = 0
    is_injected: bool = False


@dataclass
class RequestFaults:
    """The active faults, and how often each was injected."""

    injected: Counter[str] = field(default_factory=Counter)
    late_copies: list[Exchange] = field(default_factory=list)
    """Messages to deliver again, long after the first delivery."""
    _silenced: set[int] = field(default_factory=set)  # process ids of functions that get no more responses
    _active: list[_Active] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def active(self, seed: int, names: Sequence[str]) -> Iterator[None]:
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

    def respond(self, exchange: Exchange) -> HttpResponse | None:
        """Return the response to a request, or None to close the connection."""
        if self._silenced and _function_at(exchange.client_port) in self._silenced:
            exchange.wait_for_client_to_give_up(_SDK_READ_SECONDS + 1)
            return None
        drawn = self._draw(exchange)
        if drawn is None:
            return exchange.forward()
        active, rng = drawn
        fault, response = FAULTS[active.name], None
        if fault.delay_seconds:
            exchange.delay(rng.uniform(*fault.delay_seconds))
        if fault.item_errors and exchange.operation in (STORE, PUBLISH) and (not fault.errors or rng.random() < 0.5):
            response = _fail_items(exchange, rng, rng.choice(fault.item_errors))
        elif fault.errors:
            response = _error(exchange, *rng.choice(fault.errors))
        elif fault.effect == "half":
            response = _forward_part(exchange, range(_size(exchange) // 2))
        elif fault.effect == "all" or (fault.effect == "maybe" and rng.random() < 0.5):
            response = exchange.forward()
        if fault.then in ("kill", "silence"):
            process_id = _function_at(exchange.client_port)
            if process_id is None:
                return None
            if fault.then == "kill":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
            else:  # its retry gets no response either, so Lambda ends it at its timeout
                self._silenced.add(process_id)
        if fault.then == "repeat" and rng.random() < 0.5:
            exchange.forward()
        elif fault.then == "repeat":
            self.late_copies.append(exchange)
        is_hanging = fault.then == "lose" and rng.random() < 0.1  # else the connection is closed
        if fault.then in ("hang", "silence") or is_hanging:
            exchange.wait_for_client_to_give_up(_SDK_READ_SECONDS + 1)
        active.is_injected = True
        self.note(active.name)
        return response if fault.then in ("respond", "repeat") else None

    def _draw(self, exchange: Exchange) -> tuple[_Active, random.Random] | None:
        """Return the fault for this request. A fault's n-th applicable request always has the same random result."""
        with self._lock:
            for active in self._active:
                fault = FAULTS[active.name]
                if exchange.operation not in fault.operations or (fault.effect == "half" and _size(exchange) < 2):
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


def _json_response(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(document).encode())


def _xml(status: int, element: str, content: str) -> HttpResponse:
    body = f'<{element} xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{content}</{element}>'
    return HttpResponse(status, {"Content-Type": "text/xml"}, body.encode())


def _error(exchange: Exchange, status: int, code: str) -> HttpResponse:
    if exchange.operation != PUBLISH:
        return _json_response(status, {"__type": f"com.amazonaws#{code}", "message": "injected"})
    return _xml(status, "ErrorResponse", f"<Error><Code>{code}</Code><Message>injected</Message></Error>")


def _fail_items(exchange: Exchange, rng: random.Random, code: str) -> HttpResponse:
    """Reject some items of a batch with `code`; the others take effect."""
    size = _size(exchange)
    done = sorted(rng.sample(range(size), rng.randint(0, size - 1)))
    response = _forward_part(exchange, done) if done else None
    if response is not None and response.status != 200:
        return response
    if exchange.operation == STORE:
        error = {"Error": {"Code": code, "Message": "injected"}}
        responses = iter(json.loads(response.body)["Responses"] if response else ())
        return _json_response(200, {"Responses": [next(responses) if i in done else error for i in range(size)]})
    text = response.body.decode() if response else ""
    published = "".join(re.findall("<Successful>(.*?)</Successful>", text, re.DOTALL))
    failed = "".join(
        f"<member><Id>{entry['Id']}</Id><Code>{code}</Code><SenderFault>false</SenderFault></member>"
        for place, entry in enumerate(_entries(exchange))
        if place not in done
    )
    result = f"<Successful>{published}</Successful><Failed>{failed}</Failed>"
    return _xml(200, "PublishBatchResponse", f"<PublishBatchResult>{result}</PublishBatchResult>")


def _size(exchange: Exchange) -> int:
    if exchange.operation == STORE:
        return len(json.loads(exchange.body)["Statements"])
    return len(_entries(exchange)) if exchange.operation == PUBLISH else 1


def _forward_part(exchange: Exchange, places: Sequence[int]) -> HttpResponse:
    if exchange.operation == STORE:
        request = json.loads(exchange.body)
        request["Statements"] = [request["Statements"][place] for place in places]
        return exchange.forward_instead(json.dumps(request).encode(), "dynamodb")
    entries = _entries(exchange)
    form = [(name, value) for name, value in parse_qsl(exchange.body.decode()) if not name.startswith(_ENTRY)]
    for number, place in enumerate(places, 1):
        form += [(f"{_ENTRY}{number}.{name}", value) for name, value in entries[place].items()]
    return exchange.forward_instead(urlencode(form).encode(), "sns")


def _entries(exchange: Exchange) -> list[dict[str, str]]:
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    for name, value in parse_qsl(exchange.body.decode()):
        if name.startswith(_ENTRY):
            number, _, field_name = name.removeprefix(_ENTRY).partition(".")
            entries[int(number)][field_name] = value
    return [entries[number] for number in sorted(entries)]
