"""Events of the functions' logs, and counts by metric filters."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders_cli.log import METRICS, EventLog, LogEvent, event_counts
from support.stub_aws.logs import FakeLogs

START = datetime(2025, 4, 25, 10, tzinfo=UTC)


def line(seconds: float, name: object, **fields: object) -> dict[str, Any]:
    return {
        "timestamp": int((START + timedelta(seconds=seconds)).timestamp() * 1000),
        "message": json.dumps({"level": "INFO", "message": name, "requestId": "lambda's own", **fields}),
    }


def log_of(fake: FakeLogs) -> EventLog:
    return EventLog(fake, "")


def test_event_holds_ids_and_codes_only() -> None:
    fake = FakeLogs(processing=[line(0, "order_failed", order_id="o1", receives=5, customer_id="secret")])
    [event] = log_of(fake).search("processing", "{ }", START)
    assert event == LogEvent(START, "processing", "order_failed", {"order_id": "o1", "receives": 5})


@pytest.mark.parametrize("text", ["START RequestId: 5", "[]", "5", '{"message": 5}', '{"type": "platform.report"}'])
def test_other_log_lines_are_skipped(text: str) -> None:
    fake = FakeLogs(processing=[{"timestamp": START.timestamp() * 1000, "message": text}])
    assert list(log_of(fake).search("processing", "{ }", START)) == []


def submitted_and_stored() -> FakeLogs:
    return FakeLogs(
        submission=[
            line(0.5, "order_accepted", order_id="o1-long-id", request_id="r1"),
            line(0.6, "order_accepted", order_id="o2-long-id", request_id="r2"),
        ],
        processing=[
            line(1, "order_failed", order_id="o1-long-id", request_id="r1", message_id="m1", reason="ThrottlingError"),
            line(2, "order_stored", order_id="o1-long-id", request_id="r1", message_id="m1"),
            line(2, "order_stored", order_id="o1-long-id-and-more", request_id="r3"),
        ],
        notification=[line(3, "order_notified", order_id="o1-long-id")],
        status=[line(2.5, "order_found", order_id="o1-long-id", request_id="r9")],
    )


@pytest.mark.parametrize(
    ("some_id", "names"),
    [
        ("o1-long-id", "order_accepted order_failed order_stored order_found order_notified"),
        ("r1", "order_accepted order_failed order_stored"),
        ("m1", "order_failed order_stored"),
        ("unknown", ""),
    ],
)
def test_trace_returns_events_of_all_functions_by_time(some_id: str, names: str) -> None:
    events = log_of(submitted_and_stored()).trace(some_id, START)
    assert [event.name for event in events] == names.split()


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


def test_events_are_counted_from_the_start_of_the_minute() -> None:
    fake = FakeCloudWatch()
    counts = event_counts(fake, "order-processing/dev", START + timedelta(seconds=30), START + timedelta(minutes=1))
    assert (counts["order_accepted"], counts["order_stored"]) == (6, 3)
    [request] = fake.requests
    assert request["StartTime"] == START
    names = {query["MetricStat"]["Metric"]["MetricName"] for query in request["MetricDataQueries"]}
    assert names == set(METRICS.values())
