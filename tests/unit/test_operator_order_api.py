"""Submission of orders to an API that is busy, down or wrong."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.message import Message
from http.client import RemoteDisconnected
from threading import Event
from typing import Any

import pytest

from orders.domain.order import Order, ProcessedOrder
from orders_cli.commands.submit import submit_lines
from orders_cli.errors import OperatorError
from orders_cli.order_api import TRIES, HttpAnswer, OrderApi, Submission, Verdict
from orders_cli.order_file import OrderLine, UnreadableLine
from support.sample_orders import SAMPLE_ORDER

ORDER_ID = "faf2e299-4a13-8274-9d58-d0dcc37881a5"


def answer(status: int, document: Any = None, **headers: str) -> HttpAnswer:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return HttpAnswer(status, message, json.dumps(document).encode() if document is not None else b"<html>")


ACCEPTED = answer(202, {"order_id": ORDER_ID, "status": "ACCEPTED"})


class FakeApi:
    """Returns its answers in turn and then the last one; raises exceptions."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.pauses: list[float] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        self.requests.append((url, body, headers))
        next_answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(next_answer, Exception):
            raise next_answer
        return next_answer

    def submit(self, sleep: Callable[[float], bool | None] | None = None) -> Submission:
        api = OrderApi("https://api.example", transport=self, sleep=sleep or self.pauses.append, chance=lambda: 0.5)
        return api.submit(b"{}", "the-key")


def test_order_is_sent_as_json_with_its_key() -> None:
    api = FakeApi(ACCEPTED)
    assert api.submit() == Submission(Verdict.ACCEPTED, ORDER_ID)
    [(url, body, headers)] = api.requests
    assert (url, body) == ("https://api.example/orders", b"{}")
    assert headers == {"Content-Type": "application/json", "Idempotency-Key": "the-key"}


@pytest.mark.parametrize(
    "trouble",
    [
        answer(429),
        answer(500),
        answer(503, {"code": "QUEUE_UNAVAILABLE"}, Retry_After="1"),
        answer(504),
        TimeoutError(),
        ConnectionResetError(),
        RemoteDisconnected(""),
    ],
)
def test_transient_error_is_retried_with_the_same_key(trouble: HttpAnswer | Exception) -> None:
    api = FakeApi(trouble, trouble, ACCEPTED)
    assert api.submit().verdict is Verdict.ACCEPTED
    assert len(api.requests) == 3
    assert len({headers["Idempotency-Key"] for _, _, headers in api.requests}) == 1
    assert len(api.pauses) == 2


def test_pauses_grow_and_respect_retry_after() -> None:
    growing = FakeApi(answer(503))
    growing.submit()
    assert growing.pauses == sorted(growing.pauses)
    assert sum(growing.pauses) < 60
    asked = FakeApi(answer(503, None, Retry_After="7"), ACCEPTED)
    asked.submit()
    assert 7 <= asked.pauses[0] < 8


@pytest.mark.parametrize("value", ["tomorrow", "-1", "１", "", "9" * 400])
def test_invalid_retry_after_is_ignored(value: str) -> None:
    api = FakeApi(answer(429, None, Retry_After=value), ACCEPTED)
    api.submit()
    assert 0 <= api.pauses[0] <= 60


def test_retries_end() -> None:
    api = FakeApi(ConnectionRefusedError())
    assert api.submit() == Submission(Verdict.NOT_SUBMITTED, detail="the API did not answer (ConnectionRefusedError)")
    assert len(api.requests) == TRIES


@pytest.mark.parametrize(
    ("status", "code"),
    [*((status, "VALIDATION_FAILED") for status in (400, 404, 413, 415, 422)), (403, "CUSTOMER_MISMATCH")],
)
def test_refusal_is_final(status: int, code: str) -> None:
    errors = [{"pointer": "/quantity", "detail": "must be a whole number"}]
    api = FakeApi(answer(status, {"code": code, "errors": errors, "request_id": "r"}))
    submission = api.submit()
    assert (submission.verdict, submission.code, submission.request_id) == (Verdict.REFUSED, code, "r")
    assert submission.errors == errors
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_rejected_token_ends_the_command(status: int) -> None:
    api = FakeApi(answer(status, {"message": "Unauthorized"}))
    with pytest.raises(OperatorError, match=rf"answers {status}: set ORDERS_TOKEN"):
        api.submit()
    assert len(api.requests) == 1


def lines(number: int) -> list[OrderLine | UnreadableLine]:
    return [OrderLine(line, b"{}", f"key{line}", SAMPLE_ORDER, f"id{line}") for line in range(number)]


class StoredOrders:
    """A table that holds some orders."""

    def __init__(self, **orders: Order) -> None:
        self.found = {order_id: ProcessedOrder(order_id, order, "", "") for order_id, order in orders.items()}

    def orders(self, order_ids: list[str]) -> dict[str, ProcessedOrder]:
        assert len(order_ids) <= 100
        return {order_id: self.found[order_id] for order_id in order_ids if order_id in self.found}


class CountingApi:
    """Accepts everything."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def submit(self, body: bytes, idempotency_key: str) -> Submission:
        self.keys.append(idempotency_key)
        return Submission(Verdict.ACCEPTED, f"id of {idempotency_key}")


def results(api: CountingApi | None, table: StoredOrders, *more: UnreadableLine) -> dict[int, Verdict]:
    found = submit_lines(
        [*lines(301), *more],
        api=api,  # type: ignore[arg-type]
        table=table,  # type: ignore[arg-type]
        concurrency=8,
        stopped=Event(),
    )
    return {line: submission.verdict for line, submission in found}


def test_lines_are_submitted_in_order_and_stored_ones_are_skipped() -> None:
    api = CountingApi()
    other = replace(SAMPLE_ORDER, quantity=7)
    verdicts = results(api, StoredOrders(id3=SAMPLE_ORDER, id250=other), UnreadableLine(301, "why"))
    assert list(verdicts) == list(range(302))
    # Another order under a line's id can only come from a forged message.
    special = {3: Verdict.STORED_BEFORE, 250: Verdict.REFUSED, 301: Verdict.REFUSED}
    assert {line: verdict for line, verdict in verdicts.items() if verdict is not Verdict.ACCEPTED} == special
    assert sorted(api.keys) == sorted(f"key{line}" for line in range(301) if line not in special)


def test_dry_run_sends_nothing() -> None:
    verdicts = results(None, StoredOrders(id3=SAMPLE_ORDER))
    assert {verdict for line, verdict in verdicts.items() if line != 3} == {Verdict.VALID}
    assert verdicts[3] is Verdict.STORED_BEFORE


def test_early_end_starts_no_further_submission() -> None:
    api, stopped = CountingApi(), Event()
    found = submit_lines(lines(1000), api=api, table=StoredOrders(), concurrency=2, stopped=stopped)  # type: ignore[arg-type]
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert stopped.is_set()
    assert len(api.keys) <= 100
