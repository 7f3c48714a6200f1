"""The functions' logs: searched to the end, in order of time, each event counted once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders_cli.log import FIELDS, METRICS, EventLog, LogEvent, event_counts
from support.stub_aws.logs import FakeLogs

START = datetime(2025, 4, 25, 10, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def line(seconds: float, name: object, event_id: str = "", **fields: object) -> dict[str, Any]:
    return {
        "eventId": event_id or f"{name}-{seconds}",
        "timestamp": int(moment(seconds).timestamp() * 1000),
        "message": json.dumps({"level": "INFO", "message": name, "requestId": "lambda's own", **fields}),
    }


def log_of(fake: FakeLogs) -> EventLog:
    return EventLog(fake, lambda function: function)


def test_event_holds_ids_and_codes_only() -> None:
    fake = FakeLogs(processing=[line(0, "order_failed", order_id="o1", receives=5, customer_id="secret")])
    [event] = log_of(fake).search("processing", "{ }")
    assert event == LogEvent("order_failed-0", START, "processing", "order_failed", {"order_id": "o1", "receives": 5})
    assert "customer_id" not in FIELDS


@pytest.mark.parametrize("text", ["START RequestId: 5", "[]", "5", '{"message": 5}', '{"type": "platform.report"}'])
def test_other_log_lines_are_skipped(text: str) -> None:
    fake = FakeLogs(processing=[{"eventId": "e", "timestamp": 0, "message": text}])
    assert list(log_of(fake).search("processing", "{ }")) == []


@pytest.mark.parametrize("tokens", [True, False])
def test_every_page_is_read_and_each_event_once(tokens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_cli.log._PAGE", 10)
    lines = [line(number // 3, "order_stored", str(number)) for number in range(95)]
    fake = FakeLogs(page=10, tokens=tokens, processing=lines)
    found = [event.event_id for event in log_of(fake).search("processing", "{ }", since=START)]
    assert found == [str(number) for number in range(95)]


def submitted_and_stored() -> FakeLogs:
    return FakeLogs(
        submission=[
            line(0, "request_failed", request_id="r1", code="INTERNAL_ERROR"),
            line(0.5, "order_accepted", order_id="o1-long-id", request_id="r1"),
            line(0.6, "order_accepted", order_id="o2-long-id", request_id="r2"),
        ],
        processing=[
            line(2, "order_stored", order_id="o1-long-id", request_id="r1", message_id="m1"),
            line(1, "order_failed", order_id="o1-long-id", request_id="r1", message_id="m1", reason="ThrottlingError"),
        ],
        notification=[line(3, "order_notified", order_id="o1-long-id")],
        status=[line(2.5, "order_found", order_id="o1-long-id", request_id="r9")],
    )


def test_trace_of_an_order_covers_all_functions_by_time() -> None:
    events = log_of(submitted_and_stored()).trace("o1-long-id", START)
    assert [(event.function, event.name) for event in events] == [
        ("submission", "request_failed"),
        ("submission", "order_accepted"),
        ("processing", "order_failed"),
        ("processing", "order_stored"),
        ("status", "order_found"),
        ("notification", "order_notified"),
    ]


@pytest.mark.parametrize(("some_id", "number"), [("r1", 4), ("r9", 1), ("m1", 2), ("unheard-of", 0)])
def test_trace_accepts_a_request_or_a_message(some_id: str, number: int) -> None:
    assert len(log_of(submitted_and_stored()).trace(some_id, START)) == number


def test_trace_ignores_an_id_inside_another_word() -> None:
    fake = FakeLogs(processing=[line(0, "order_stored", order_id="o1-long-id-and-more")])
    assert log_of(fake).trace("o1-long-id", START) == []


class FakeCloudWatch:
    """CloudWatch with one value per minute for every metric."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> "FakeCloudWatch":
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.requests.append(request)
        results = [{"Id": query["Id"], "Values": [1.0, 2.0]} for query in request["MetricDataQueries"]]
        return [{"MetricDataResults": results}, {"MetricDataResults": results[:1]}]


def test_events_are_counted_by_metrics_from_the_minute_on() -> None:
    fake = FakeCloudWatch()
    counts = event_counts(fake, "order-processing/dev", moment(30), moment(60))
    assert (counts["order_accepted"], counts["order_stored"]) == (6, 3)
    [request] = fake.requests
    assert request["StartTime"] == START
    names = {query["MetricStat"]["Metric"]["MetricName"] for query in request["MetricDataQueries"]}
    assert names == set(METRICS.values())
