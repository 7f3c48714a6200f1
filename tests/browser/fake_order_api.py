"""A fake order API: Playwright answers the page's requests with scripted responses, or else as the contract says."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Route

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.order_id import derived_order_id

URL = "https://api.example.com/v1"
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "location,retry-after"}


@dataclass(frozen=True)
class Answer:
    """A response with a JSON body."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


# HANG responds only after `release`. DROP loses the connection; DROP_ACCEPTED does so after accepting the order.
HANG, DROP, DROP_ACCEPTED = Answer(-1), Answer(-2), Answer(-3)


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """Return a problem details response of the API."""
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    return Answer(status, {"title": code, "detail": detail, "code": code, "request_id": "request-1", **more}, headers)


class FakeOrderApi:
    """Accepts every order, and processes it if `processes`. Responses in `script` and `poll_script` are used first."""

    def __init__(self) -> None:
        self.processes = True
        self.script: deque[Answer] = deque()
        self.poll_script: deque[Answer] = deque()
        self.submissions: list[Any] = []
        self.keys: list[str] = []
        self.headers: dict[str, str] = {}
        self.body: str | None = None
        self.polls: list[str] = []
        self.accepted: dict[str, Any] = {}
        self._hanging: list[Route] = []

    def serve(self, context: BrowserContext, url: str = URL) -> None:
        context.route(f"{url}/orders", self._submit)
        context.route(f"{url}/orders/*", self._poll)

    def release(self) -> None:
        for route in self._hanging:
            self._send(route, self._accept(route))

    def _submit(self, route: Route) -> None:
        self.headers, self.body = route.request.headers, route.request.post_data
        self.keys.append(self.headers["idempotency-key"])
        self.submissions.append(route.request.post_data_json)
        answer = self.script.popleft() if self.script else self._accept(route)
        if answer is HANG:
            self._hanging.append(route)
            return
        if answer is DROP_ACCEPTED:
            self._accept(route)
        self._send(route, answer)

    def _accept(self, route: Route) -> Answer:
        order = route.request.post_data_json
        order_id = derived_order_id(ORDER_RULES.validate(order), route.request.headers["idempotency-key"])
        self.accepted[order_id] = order
        return Answer(202, {"order_id": order_id, "status": "ACCEPTED"})

    def _poll(self, route: Route) -> None:
        order_id = route.request.url.rpartition("/")[2]
        self.polls.append(order_id)
        answer = Answer(200, {"order_id": order_id, "status": "PENDING"}, {"Retry-After": "1"})
        if self.poll_script:
            answer = self.poll_script.popleft()
        elif self.processes and order_id in self.accepted:
            times = {"submitted_at": "2025-04-25T10:00:00.000Z", "processed_at": "2025-04-25T10:00:01.250Z"}
            answer = Answer(200, {"order_id": order_id, **self.accepted[order_id], **times, "status": "PROCESSED"})
        self._send(route, answer)

    def _send(self, route: Route, answer: Answer) -> None:
        if answer.status < 0:
            route.abort("connectionreset")
        else:
            route.fulfill(status=answer.status, headers={**CORS, **answer.headers}, body=json.dumps(answer.document))
