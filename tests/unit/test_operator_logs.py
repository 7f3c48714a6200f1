"""What the functions logged: read to the end, told in order of time, counted once."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_aws.logs import FakeLogs
from fake_aws.sqs import FakeSqs
from orders_cli.log import FIELDS, EventLog, LogEvent
from orders_cli.queue import Queue
from orders_cli.tracing import trace
from orders_cli.watching import METRICS, LogCounts, MetricCounts, explanations, reader

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


def test_an_event_holds_ids_and_codes_and_nothing_else_of_its_line() -> None:
    fake = FakeLogs(processing=[line(0, "order_failed", order_id="o1", receives=5, customer_id="secret")])
    [event] = log_of(fake).search("processing", "{ }")
    assert event == LogEvent("order_failed-0", START, "processing", "order_failed", {"order_id": "o1", "receives": 5})
    assert "customer_id" not in FIELDS


@pytest.mark.parametrize("text", ["START RequestId: 5", "[]", "5", '{"message": 5}', '{"type": "platform.report"}'])
def test_what_is_no_event_is_passed_over(text: str) -> None:
    fake = FakeLogs(processing=[{"eventId": "e", "timestamp": 0, "message": text}])
    assert list(log_of(fake).search("processing", "{ }")) == []


@pytest.mark.parametrize("tokens", [True, False])
def test_a_log_of_many_pages_is_read_to_its_end_and_each_event_once(
    tokens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_cli.log._PAGE", 10)
    lines = [line(number // 3, "order_stored", str(number)) for number in range(95)]
    fake = FakeLogs(page=10, tokens=tokens, processing=lines)
    found = [event.event_id for event in log_of(fake).search("processing", "{ }", since=START)]
    assert found == [str(number) for number in range(95)]


def test_events_to_which_an_emulator_gave_no_id_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_order_is_followed_through_all_functions_by_time() -> None:
    events = trace("o1-long-id", log=log_of(submitted_and_stored()), since=START)
    assert [(event.function, event.name) for event in events] == [
        ("submission", "request_failed"),
        ("submission", "order_accepted"),
        ("processing", "order_failed"),
        ("processing", "order_stored"),
        ("status", "order_found"),
        ("notification", "order_notified"),
    ]


@pytest.mark.parametrize(("some_id", "number"), [("r1", 4), ("r9", 1), ("m1", 2), ("unheard-of", 0)])
def test_a_request_or_a_message_is_followed_as_well(some_id: str, number: int) -> None:
    assert len(trace(some_id, log=log_of(submitted_and_stored()), since=START)) == number


def test_an_id_inside_another_word_is_not_that_id() -> None:
    fake = FakeLogs(processing=[line(0, "order_stored", order_id="o1-long-id-and-more")])
    assert trace("o1-long-id", log=log_of(fake), since=START) == []


class GrowingLog:
    """A log to which events are added while somebody counts."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def add(self, name: str, seconds: float, function: str = "processing") -> None:
        self.events.append(LogEvent(f"e{len(self.events)}", moment(seconds), function, name, {}))

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        assert since is not None
        return iter([event for event in self.events if event.function == function and event.time >= since])


def test_events_of_the_log_are_counted_once_even_those_that_arrive_late() -> None:
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
    """One sum a minute for every metric."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> "FakeCloudWatch":
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.requests.append(request)
        results = [{"Id": query["Id"], "Values": [1.0, 2.0]} for query in request["MetricDataQueries"]]
        return [{"MetricDataResults": results}, {"MetricDataResults": results[:1]}]


def test_metrics_are_summed_from_the_minute_in_which_the_watch_began_and_not_asked_for_at_every_look() -> None:
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


class NoCounts:
    """Nothing ever happens."""

    source = "made up"

    def read(self, now: datetime) -> Counter[str]:
        return Counter()


def test_every_number_of_a_reading_is_explained() -> None:
    sqs = FakeSqs("orders", "dlq", "notifications")
    sqs.put("orders", "waiting")
    sqs.put("dlq", "dead")
    sqs.put("dlq", "dead and hidden")
    sqs.queues["dlq"][1]["visible"] = 100.0
    read = reader(Queue(sqs, "orders"), Queue(sqs, "dlq"), Queue(sqs, "notifications"), NoCounts())
    fields = read(START).fields()
    assert (fields["waiting"], fields["dead_letters"], fields["dead_notifications"]) == (1, 2, 0)
    assert fields.keys() == explanations("made up").keys()
    assert "made up" in explanations("made up")["accepted"]
