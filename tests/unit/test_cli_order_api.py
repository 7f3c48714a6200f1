"""Submission of orders to an API that is busy, unavailable or faulty."""

import json
from collections.abc import Mapping
from email.message import Message
from http.client import RemoteDisconnected
from typing import Any

import pytest

from orders_cli.errors import OperatorError
from orders_cli.order_api import TRIES, HttpResponse, OrderApi, Submission, Verdict


def response(status: int, document: Any = None, retry_after: str | None = None) -> HttpResponse:
    message = Message()
    if retry_after is not None:
        message["Retry-After"] = retry_after
    return HttpResponse(status, message, json.dumps(document).encode() if document is not None else b"<html>")


ACCEPTED = {"order_id": "the id", "status": "ACCEPTED"}


class FakeApi:
    """Returns its responses in turn, and repeats the last one; raises those that are exceptions."""

    def __init__(self, *responses: HttpResponse | Exception) -> None:
        self.responses = list(responses)
        self.requests: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.pauses: list[float] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        self.requests.append((url, body, headers))
        next_response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(next_response, Exception):
            raise next_response
        return next_response

    def submit(self) -> Submission:
        return OrderApi("https://api.example", transport=self, sleep=self.pauses.append).submit(b"{}", "the-key")


@pytest.mark.parametrize(
    "failure",
    [
        *map(response, (429, 500, 504)),
        response(503, {"code": "QUEUE_UNAVAILABLE"}, "1"),
        *(TimeoutError(), ConnectionResetError(), RemoteDisconnected("")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value.status),
)
def test_transient_error_is_retried_with_the_same_key(failure: HttpResponse | Exception) -> None:
    api = FakeApi(failure, failure, response(202, ACCEPTED))
    assert api.submit() == Submission(Verdict.ACCEPTED, ACCEPTED)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "the-key"}
    assert api.requests == [("https://api.example/orders", b"{}", headers)] * 3
    assert len(api.pauses) == 2


def test_retries_end_after_growing_pauses() -> None:
    api = FakeApi(ConnectionRefusedError())
    detail = "the API did not respond (ConnectionRefusedError)"
    assert api.submit() == Submission(Verdict.NOT_SUBMITTED, {"detail": detail})
    assert len(api.requests) == TRIES
    assert api.pauses[0] < api.pauses[3] < api.pauses[5]
    assert sum(api.pauses) < 60


@pytest.mark.parametrize(
    ("value", "shortest", "longest"),
    [("7", 7, 8), ("9" * 400, 60, 60), *[(invalid, 0, 1) for invalid in ("tomorrow", "-1", "１", "")]],
)
def test_pause_respects_a_valid_retry_after(value: str, shortest: float, longest: float) -> None:
    api = FakeApi(response(429, retry_after=value), response(202, ACCEPTED))
    api.submit()
    assert shortest <= api.pauses[0] <= longest


@pytest.mark.parametrize(
    ("status", "code"),
    [*((status, "VALIDATION_FAILED") for status in (400, 404, 413, 415, 422)), (403, "CUSTOMER_MISMATCH")],
)
def test_rejected_order_is_not_retried(status: int, code: str) -> None:
    document = {"code": code, "errors": [{"pointer": "/quantity", "detail": "must be a whole number"}]}
    api = FakeApi(response(status, document))
    assert api.submit() == Submission(Verdict.REFUSED, document)
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_rejected_token_ends_the_command(status: int) -> None:
    api = FakeApi(response(status, {"message": "Unauthorized"}))
    with pytest.raises(OperatorError, match=rf"rejects the token \({status}\): set ORDERS_TOKEN"):
        api.submit()
    assert len(api.requests) == 1
