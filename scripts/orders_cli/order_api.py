"""A client of the order API that retries.

Every order is sent with an Idempotency-Key, so a retry is always safe: the order is stored once.
"""

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from orders_cli.errors import OperatorError

TRIES = 8
_TIMEOUT_SECONDS = 35  # API Gateway gives up after 30
_LONGEST_PAUSE_SECONDS = 60.0
_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 10.0

# Statuses that a retry can change.
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})

_UNAUTHORIZED = frozenset({401, 403})


class Verdict(Enum):
    ACCEPTED = "ACCEPTED"
    """It is in the queue."""
    STORED_BEFORE = "STORED_BEFORE"
    """It is in the table, from an earlier run; it was not sent."""
    VALID = "VALID"
    """It is a valid order and would be sent; in a dry run only."""
    REFUSED = "REFUSED"
    """It is not a valid order; a retry does not help."""
    NOT_SUBMITTED = "NOT_SUBMITTED"
    """The API did not confirm it after several tries; it may have arrived. Send it again."""


@dataclass(frozen=True)
class Submission:
    verdict: Verdict
    order_id: str | None = None
    code: str | None = None
    detail: str | None = None
    errors: Sequence[Mapping[str, str]] = field(default=())
    request_id: str | None = None


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Message
    body: bytes


Transport = Callable[[str, bytes, Mapping[str, str]], HttpAnswer]
"""Sends one POST request; raises OSError or HTTPException if there is no response."""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """Send one POST request.

    Names under localhost are this machine (RFC 6761, section 6.3), even if the resolver does not know them.
    """
    address = urlsplit(url)
    if (address.hostname or "").endswith(".localhost"):
        port = f":{address.port}" if address.port else ""
        url = urlunsplit(address._replace(netloc=f"127.0.0.1{port}"))
        headers = {**headers, "Host": address.netloc}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    else:
        opener = urllib.request.build_opener()
    # The address is an output of the system, not input.
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return HttpAnswer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return HttpAnswer(error.code, error.headers, error.read())


class OrderApi:
    """Submits orders to the API at `endpoint`, with a bearer `token` if the API requires one.

    `sleep` waits so many seconds, and returns True to end the retries.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        transport: Transport = post,
        sleep: Callable[[float], bool | None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._url = f"{endpoint}/orders"
        self._headers = {"Content-Type": "application/json"} | (
            {} if token is None else {"Authorization": f"Bearer {token}"}
        )
        self._transport = transport
        self._sleep = sleep
        self._chance = chance

    def submit(self, body: bytes, idempotency_key: str) -> Submission:
        """Submit one order, with retries while the API is busy or unavailable.

        Raises OperatorError if the API rejects the token, because it would reject it for every order.
        """
        headers = {**self._headers, "Idempotency-Key": idempotency_key}
        submission = Submission(Verdict.NOT_SUBMITTED)
        for number in range(TRIES):
            retry_after = None
            try:
                answer = self._transport(self._url, body, headers)
            except (OSError, HTTPException) as error:
                submission = Submission(Verdict.NOT_SUBMITTED, detail=f"the API did not answer ({_reason(error)})")
            else:
                submission = _read(answer)
                # A mismatch is about one order, and another status about the token.
                if answer.status in _UNAUTHORIZED and submission.code != "CUSTOMER_MISMATCH":
                    raise OperatorError(
                        f"The API answers {answer.status}: set ORDERS_TOKEN to a token that it accepts."
                    )
                if answer.status not in _TRANSIENT:
                    return submission
                retry_after = answer.headers.get("Retry-After")
            if number < TRIES - 1 and self._sleep(self._pause(number, retry_after)):
                break
        return submission

    def _pause(self, number: int, retry_after: str | None) -> float:
        backoff: float = min(_FIRST_BACKOFF_SECONDS * 2**number, _LONGEST_BACKOFF_SECONDS)
        # At least what the API asks for, with jitter.
        asked = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
        return min(max(asked, backoff / 2) + backoff / 2 * self._chance(), _LONGEST_PAUSE_SECONDS)


def _reason(error: OSError | HTTPException) -> str:
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__


def _read(answer: HttpAnswer) -> Submission:
    document = _object(answer.body)
    if answer.status == 202 and isinstance(document.get("order_id"), str):
        return Submission(Verdict.ACCEPTED, document["order_id"])
    errors = document.get("errors")
    return Submission(
        Verdict.NOT_SUBMITTED if answer.status in _TRANSIENT else Verdict.REFUSED,
        code=_text(document.get("code")) or f"HTTP {answer.status}",
        detail=_text(document.get("detail")) or _text(document.get("message")),
        errors=[
            {"pointer": str(error.get("pointer", "")), "detail": str(error.get("detail", ""))}
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ],
        request_id=_text(document.get("request_id")),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
