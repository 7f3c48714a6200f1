"""An order API that does as it is told: real HTTP with CORS, each answer scripted or as the contract says."""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import OrderInvalidError
from orders.domain.order_id import derived_order_id, parse_order_id

SUBMITTED_AT = "2025-04-25T10:00:00.000Z"
PROCESSED_AT = "2025-04-25T10:00:01.250Z"

# What the API's CORS settings send (see the interface of the backend).
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "location,retry-after",
}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Methods": "GET,POST",
    "Access-Control-Allow-Headers": "content-type,idempotency-key",
    "Access-Control-Max-Age": "3600",
}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `document` is sent as JSON, `text` as it is."""

    status: int
    document: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """No answer until the test is over or `FakeOrderApi.release` is called; then the ordinary one."""


@dataclass(frozen=True)
class Drop:
    """The connection is closed without a word; `after_accepting` the order has been taken by then."""

    after_accepting: bool = False


Behaviour = Answer | Hang | Drop


@dataclass(frozen=True)
class Submission:
    """One POST /orders as it arrived."""

    key: str | None
    body: bytes
    headers: Mapping[str, str]

    @property
    def order(self) -> Any:
        return json.loads(self.body)


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return problem details as the API writes them."""
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    document = {"type": f"urn:problem:{code}", "title": code, "status": status, "detail": detail, "code": code}
    return Answer(status, {**document, "request_id": "request-1", **more}, headers=headers)


class FakeOrderApi:
    """The API at `url`. Scripted behaviours are used up first; then it accepts, and `processes` or not."""

    def __init__(self) -> None:
        self.processes = True
        self.every_look: Behaviour | None = None
        self.submissions: list[Submission] = []
        self.looks: list[str] = []
        self.accepted: dict[str, Any] = {}
        self._submission_script: deque[Behaviour] = deque()
        self._look_script: deque[Behaviour] = deque()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer_submissions_with(self, *behaviours: Behaviour) -> None:
        self._submission_script.extend(behaviours)

    def answer_looks_with(self, *behaviours: Behaviour) -> None:
        self._look_script.extend(behaviours)

    def release(self) -> None:
        """Let what hangs go on."""
        self._released.set()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def keys(self) -> list[str | None]:
        return [submission.key for submission in self.submissions]

    def on_submission(self, submission: Submission) -> Answer | Drop:
        self.submissions.append(submission)
        behaviour = self._submission_script.popleft() if self._submission_script else None
        if isinstance(behaviour, Drop) and behaviour.after_accepting:
            self._accept(submission)
        return self._play(behaviour, lambda: self._accept(submission))

    def on_look(self, order_id: str) -> Answer | Drop:
        self.looks.append(order_id)
        behaviour = self._look_script.popleft() if self._look_script else self.every_look
        return self._play(behaviour, lambda: self._state(order_id))

    def _play(self, behaviour: Behaviour | None, ordinary: Callable[[], Answer]) -> Answer | Drop:
        if isinstance(behaviour, Answer | Drop):
            return behaviour
        if isinstance(behaviour, Hang):
            self._released.wait(30)
        return ordinary()

    def _accept(self, submission: Submission) -> Answer:
        order = submission.order
        try:
            valid = ORDER_RULES.validate(order)
        except OrderInvalidError as error:
            errors = [{"pointer": each.pointer, "detail": each.detail} for each in error.violations]
            return problem(422, "VALIDATION_FAILED", "The order breaks rules.", errors=errors)
        order_id = derived_order_id(valid, submission.key or "")
        self.accepted[order_id] = order
        return Answer(202, {"order_id": order_id, "status": "ACCEPTED"}, headers={"Location": f"/orders/{order_id}"})

    def _state(self, order_id: str) -> Answer:
        if parse_order_id(order_id) is None:
            return problem(404, "ORDER_NOT_FOUND", "No order has this id; check it for typos.")
        if not self.processes or order_id not in self.accepted:
            return Answer(200, {"order_id": order_id, "status": "PENDING"}, headers={"Retry-After": "1"})
        order = self.accepted[order_id]
        return Answer(
            200,
            {
                "order_id": order_id,
                **order,
                "quantity": int(order["quantity"]),
                "submitted_at": SUBMITTED_AT,
                "processed_at": PROCESSED_AT,
                "status": "PROCESSED",
            },
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: none may outlive its test

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: browsers come and go."""


def _handler_for(api: FakeOrderApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 35

        def do_OPTIONS(self) -> None:
            self._send(Answer(204), _PREFLIGHT)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/orders":
                self._send(Answer(404, {"message": "Not Found"}), _CORS)
                return
            self._send(api.on_submission(Submission(self.headers["Idempotency-Key"], body, dict(self.headers))))

        def do_GET(self) -> None:
            self._send(api.on_look(self.path.removeprefix("/orders/")))

        def _send(self, answer: Answer | Drop, cors: Mapping[str, str] = _CORS) -> None:
            if isinstance(answer, Drop):
                self.close_connection = True
                return
            text = json.dumps(answer.document) if answer.text is None else answer.text
            body = b"" if answer.status == 204 else text.encode()
            kind = "application/problem+json" if answer.status >= 400 else "application/json"
            self.send_response(answer.status)
            for name, value in {**cors, "Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler
