"""Submitting to an API that is busy, down or wrong: how often, how patiently, and what is told."""

import json
from collections.abc import Callable, Mapping
from email.message import Message
from http.client import RemoteDisconnected
from threading import Event
from typing import Any

import pytest

from orders_cli.errors import OperatorError
from orders_cli.order_api import TRIES, HttpAnswer, OrderApi, Submission, Verdict
from orders_cli.order_file import OrderLine, UnreadableLine
from orders_cli.submission import submit_lines

ORDER_ID = "faf2e299-4a13-8274-9d58-d0dcc37881a5"


def answer(status: int, document: Any = None, **headers: str) -> HttpAnswer:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return HttpAnswer(status, message, json.dumps(document).encode() if document is not None else b"<html>")


ACCEPTED = answer(202, {"order_id": ORDER_ID, "status": "ACCEPTED"})


class FakeApi:
    """Answers in turn, the last one for ever; an exception is raised."""

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


def test_an_order_is_sent_as_json_with_its_key() -> None:
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
def test_what_passes_is_waited_for_and_the_order_sent_again_under_the_same_key(trouble: HttpAnswer | Exception) -> None:
    api = FakeApi(trouble, trouble, ACCEPTED)
    assert api.submit().verdict is Verdict.ACCEPTED
    assert len(api.requests) == 3
    assert len({headers["Idempotency-Key"] for _, _, headers in api.requests}) == 1
    assert len(api.pauses) == 2


def test_the_pauses_grow_and_are_at_least_as_long_as_the_api_asks_for() -> None:
    growing = FakeApi(answer(503))
    growing.submit()
    assert growing.pauses == sorted(growing.pauses)
    assert sum(growing.pauses) < 60
    asked = FakeApi(answer(503, None, Retry_After="7"), ACCEPTED)
    asked.submit()
    assert 7 <= asked.pauses[0] < 8


@pytest.mark.parametrize("value", ["tomorrow", "-1", "１", "", "9" * 400])
def test_a_strange_retry_after_holds_nobody_up(value: str) -> None:
    api = FakeApi(answer(429, None, Retry_After=value), ACCEPTED)
    api.submit()
    assert 0 <= api.pauses[0] <= 60


def test_an_api_that_stays_away_is_given_up_and_told() -> None:
    api = FakeApi(ConnectionRefusedError())
    assert api.submit() == Submission(Verdict.NOT_SUBMITTED, detail="the API did not answer (ConnectionRefusedError)")
    assert len(api.requests) == TRIES


def test_who_stops_waiting_is_not_made_to_try_again() -> None:
    api = FakeApi(answer(503, {"code": "QUEUE_UNAVAILABLE", "request_id": "r"}))
    assert api.submit(sleep=lambda _: True).verdict is Verdict.NOT_SUBMITTED
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422])
def test_a_refusal_is_final(status: int) -> None:
    errors = [{"pointer": "/quantity", "detail": "must be a whole number"}]
    api = FakeApi(answer(status, {"code": "VALIDATION_FAILED", "errors": errors, "request_id": "r"}))
    submission = api.submit()
    assert (submission.verdict, submission.code, submission.request_id) == (Verdict.REFUSED, "VALIDATION_FAILED", "r")
    assert submission.errors == errors
    assert len(api.requests) == 1


@pytest.mark.parametrize("body", [None, [], "text", {"errors": 5}, {"code": 5, "errors": [5]}])
def test_an_answer_of_somebody_else_is_told_by_its_status(body: Any) -> None:
    assert FakeApi(answer(404, body)).submit().code == "HTTP 404"


@pytest.mark.parametrize("status", [401, 403])
def test_an_api_that_wants_to_know_who_asks_ends_it_with_what_to_do(status: int) -> None:
    api = FakeApi(answer(status, {"message": "Unauthorized"}))
    with pytest.raises(OperatorError, match=rf"answers {status} .*set ORDERS_TOKEN"):
        api.submit()
    assert len(api.requests) == 1


def test_a_token_goes_with_every_request() -> None:
    api = FakeApi(answer(503), ACCEPTED)
    OrderApi("https://api.example", token="the.token", transport=api, sleep=lambda _: None).submit(b"{}", "key")
    assert [headers["Authorization"] for _, _, headers in api.requests] == ["Bearer the.token"] * 2


def test_a_202_without_an_order_id_is_not_believed() -> None:
    assert FakeApi(answer(202, {})).submit().verdict is Verdict.REFUSED


class StoredIds:
    """A table that holds some orders and counts how often it is asked."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.asked = 0

    def stored(self, order_ids: Any) -> set[str]:
        self.asked += 1
        assert 0 < len(order_ids) <= 100
        return self.ids & set(order_ids)


class CountingApi:
    """Accepts everything and knows how many came at once."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def submit(self, body: bytes, idempotency_key: str) -> Submission:
        self.keys.append(idempotency_key)
        return Submission(Verdict.ACCEPTED, f"id of {idempotency_key}")


def lines(number: int) -> list[OrderLine | UnreadableLine]:
    return [OrderLine(line, b"{}", f"key{line}", f"id{line}") for line in range(number)]


def test_every_line_has_its_verdict_in_the_order_of_the_file() -> None:
    api, table = CountingApi(), StoredIds("id3", "id250")
    verdicts = dict(submit_lines(lines(301), api=api, table=table, concurrency=8, stopped=Event()))
    assert list(verdicts) == list(range(301))
    assert {line for line, s in verdicts.items() if s.verdict is Verdict.STORED_BEFORE} == {3, 250}
    assert sorted(api.keys) == sorted(f"key{line}" for line in range(301) if line not in (3, 250))
    assert table.asked == 4


def test_an_unreadable_line_is_refused_without_asking_anybody() -> None:
    api, table = CountingApi(), StoredIds()
    [(line, submission)] = submit_lines(
        [UnreadableLine(5, "why")], api=api, table=table, concurrency=1, stopped=Event()
    )
    assert (line, submission.verdict, submission.detail) == (5, Verdict.REFUSED, "why")
    assert (api.keys, table.asked) == ([], 0)


def test_an_early_end_starts_nothing_more_and_lets_nobody_wait_on() -> None:
    api, stopped = CountingApi(), Event()
    verdicts = submit_lines(lines(1000), api=api, table=StoredIds(), concurrency=2, stopped=stopped)
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined]
    assert stopped.is_set()
    assert len(api.keys) <= 100
