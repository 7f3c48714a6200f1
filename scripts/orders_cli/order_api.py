"""A client of the order API that retries.

Every order is sent with an Idempotency-Key, so a retry is always safe: the order is stored once.
"""

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from enum import Enum
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from orders_cli.errors import OperatorError

TRIES = 8
_TIMEOUT_SECONDS = 35  # API Gateway gives up after 30
_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 10.0

# HTTP statuses that are retried.
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class Verdict(Enum):
    """The result of submitting an order; the value is the printed text."""

    ACCEPTED = "accepted"
    VALID = "valid, would be submitted"
    REFUSED = "rejected"
    NOT_SUBMITTED = "not submitted"
    """The API did not confirm the order after several tries. It may have arrived: send it again."""


class Submission(NamedTuple):
    """The verdict on an order, with the API's response or a similar document."""

    verdict: Verdict
    document: Mapping[str, Any] = {}


class HttpResponse(NamedTuple):
    status: int
    headers: Message
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
    """Send one POST request; raise OSError or HTTPException if there is no response."""
    # The local stack is never behind a proxy.
    handlers = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname == "127.0.0.1" else []
    # The address is an output of the system, not input.
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
    try:
        response = urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return HttpResponse(response.status, response.headers, response.read())


@dataclass(frozen=True)
class OrderApi:
    """Submits orders to the API at `endpoint`, with a bearer `token` if the API requires one.

    `sleep` waits the given number of seconds. If it returns True, the retries end.
    """

    endpoint: str
    token: str | None = None
    transport: Callable[[str, bytes, Mapping[str, str]], HttpResponse] = post
    sleep: Callable[[float], bool | None] = time.sleep

    def submit(self, body: bytes, idempotency_key: str) -> Submission:
        """Submit one order, with retries while the API is busy or unavailable.

        Raises OperatorError if the API rejects the token, because every order would fail.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        for number in range(TRIES):
            retry_after = ""
            try:
                response = self.transport(f"{self.endpoint}/orders", body, headers)
            except (OSError, HTTPException) as error:
                reason = getattr(error, "reason", None)
                name = type(reason if isinstance(reason, Exception) else error).__name__
                submission = Submission(Verdict.NOT_SUBMITTED, {"detail": f"the API did not respond ({name})"})
            else:
                submission = _read(response)
                # CUSTOMER_MISMATCH concerns one order. Any other 401 or 403 concerns the token, so all orders.
                if response.status in (401, 403) and submission.document.get("code") != "CUSTOMER_MISMATCH":
                    raise OperatorError(f"The API rejects the token ({response.status}): set ORDERS_TOKEN to another.")
                if response.status not in _TRANSIENT:
                    return submission
                retry_after = response.headers.get("Retry-After", "")
            if number < TRIES - 1 and self.sleep(_pause(number, retry_after)):
                break
        return submission


def _pause(number: int, retry_after: str) -> float:
    """Return the seconds of Retry-After, plus a backoff with jitter."""
    backoff = random.uniform(0.5, 1) * min(0.25 * 2.0**number, _LONGEST_BACKOFF_SECONDS)  # noqa: S311
    minimum = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return min(minimum + backoff, _LONGEST_PAUSE_SECONDS)


def _read(response: HttpResponse) -> Submission:
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        document = {"code": f"HTTP {response.status}"}
    if response.status in _TRANSIENT:
        return Submission(Verdict.NOT_SUBMITTED, document)
    return Submission(Verdict.ACCEPTED if response.status == 202 else Verdict.REFUSED, document)
