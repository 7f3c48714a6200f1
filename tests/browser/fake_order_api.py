"""A fake order API: Playwright fulfills the page's requests with scripted responses, or by default as the contract says."""

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
class Response:
    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


# HANG responds only after `release`. DROP closes the connection; DROP_ACCEPTED does so after accepting the order.
HANG, DROP, DROP_ACCEPTED = Response(-1), Response(-2), Response(-3)


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    return Response(status, {"title": code, "detail": detail, "code": code, "request_id": "request-1", **more}, headers)


UNAVAILABLE = problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600)


class FakeOrderApi:
    """Accepts every order, and processes it if `processes`. Responses in `script` and `poll_script` are used first."""

    def __init__(self) -> None:
        self.processes = True
        self.script: deque[Response] = deque()
        self.poll_script: deque[Response] = deque()
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
        response = self.script.popleft() if self.script else self._accept(route)
        if response is HANG:
            self._hanging.append(route)
            return
        if response is DROP_ACCEPTED:
            self._accept(route)
        self._send(route, response)

    def _accept(self, route: Route) -> Response:
        order = route.request.post_data_json
        order_id = derived_order_id(ORDER_RULES.validate(order), route.request.headers["idempotency-key"])
        self.accepted[order_id] = order
        return Response(202, {"order_id": order_id, "status": "ACCEPTED"})

    def _poll(self, route: Route) -> None:
        order_id = route.request.url.rpartition("/")[2]
        self.polls.append(order_id)
        response = Response(200, {"order_id": order_id, "status": "PENDING"}, {"Retry-After": "1"})
        if self.poll_script:
            response = self.poll_script.popleft()
        elif self.processes and order_id in self.accepted:
            times = {"submitted_at": "2025-04-25T10:00:00.000Z", "processed_at": "2025-04-25T10:00:01.250Z"}
            response = Response(200, {"order_id": order_id, **self.accepted[order_id], **times, "status": "PROCESSED"})
        self._send(route, response)

    def _send(self, route: Route, response: Response) -> None:
        if response.status < 0:
            route.abort("connectionreset")
        else:
            route.fulfill(
                status=response.status, headers={**CORS, **response.headers}, body=json.dumps(response.document)
            )
