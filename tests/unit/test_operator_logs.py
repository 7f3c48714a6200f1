"""The functions' logs: searched to the end, in order of time, each event counted once."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_aws.logs import FakeLogs
from orders_cli.log import FIELDS, METRICS, EventLog, LogCounts, LogEvent, MetricCounts

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


def test_events_without_id_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_cli.log._PAGE", 10)
    lines = [line(number // 3, "order_stored", order_id=str(number)) for number in range(35)]
    for one in lines:
        del one["eventId"]
    fake = FakeLogs(page=10, tokens=False, processing=lines)
    found = list(log_of(fake).search("processing", "{ }", since=START))
    assert [event.fields["order_id"] for event in found] == [str(number) for number in range(35)]
    assert len({event.event_id for event in found}) == 35


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


class GrowingLog(EventLog):
    """A log that grows while it is counted."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def add(self, name: str, seconds: float, function: str = "processing") -> None:
        self.events.append(LogEvent(f"e{len(self.events)}", moment(seconds), function, name, {}))

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        assert since is not None
        return iter([event for event in self.events if event.function == function and event.time >= since])


def test_late_events_are_counted_once() -> None:
    log = GrowingLog()
    log.add("order_stored", -1)
    counts = LogCounts(log, START)
    log.add("order_stored", 1)
    assert counts.read(moment(2))["order_stored"] == 1
    log.add("order_stored", 1.5)
    log.add("order_stored", 3)
    log.add("some_other_event", 3)
    log.add("order_accepted", 3, "submission")
    assert counts.read(moment(4)) == Counter(order_stored=3, order_accepted=1)
    for seconds in range(5, 60, 5):
        counts.read(moment(seconds))
    assert counts.read(moment(60))["order_stored"] == 3


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


def test_metrics_are_summed_per_minute_and_cached() -> None:
    fake = FakeCloudWatch()
    counts = MetricCounts(fake, "order-processing/dev", moment(30))
    first = counts.read(moment(30))
    assert first["order_accepted"] == 6
    assert first["order_stored"] == 3
    counts.read(moment(32))
    assert len(fake.requests) == 1
    counts.read(moment(51))
    assert len(fake.requests) == 2
    assert fake.requests[0]["StartTime"] == START
    assert {query["MetricStat"]["Metric"]["MetricName"] for query in fake.requests[0]["MetricDataQueries"]} == set(
        METRICS.values()
    )
