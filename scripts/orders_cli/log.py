"""The functions' logs: search events, trace one order, count events over time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

FUNCTIONS = ("submission", "processing", "status", "notification")

# FilterLogEvents returns at most so many at once.
_PAGE = 10_000

# Ids, codes and numbers. No other field of a log line is ever shown.
FIELDS = (
    "order_id",
    "request_id",
    "message_id",
    "receives",
    "reason",
    "code",
    "error",
    "at",
    "messages",
    "records",
    "announced",
)

# A client that lost its answers has sent the same order in as many requests.
_REQUESTS = 20

# Event of the log → metric of its metric filter, by the names of terraform-backend.
METRICS = {
    "order_accepted": "OrdersAccepted",
    "order_refused": "OrdersRefused",
    "order_stored": "OrdersStored",
    "order_duplicate": "OrdersDuplicate",
    "order_conflict": "OrdersConflict",
    "order_failed": "OrdersFailed",
    "order_notified": "OrdersNotified",
}
_EVENTS_OF = {
    "submission": ("order_accepted", "order_refused"),
    "processing": ("order_stored", "order_duplicate", "order_conflict", "order_failed"),
    "notification": ("order_notified",),
}

# An event may appear in the log a moment after its own time.
_LATE = timedelta(seconds=5)

_METRIC_SECONDS = 60
_METRIC_REFRESH = timedelta(seconds=20)


@dataclass(frozen=True)
class LogEvent:
    """One event of a function; `fields` holds those of FIELDS that it has."""

    event_id: str
    time: datetime
    function: str
    name: str
    fields: dict[str, Any]


class EventLog:
    """The logs of a system's functions."""

    def __init__(self, logs: Any, log_group: Callable[[str], str]) -> None:
        self._logs = logs
        self._log_group = log_group

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        """Yield a function's events that match a filter pattern of CloudWatch Logs, oldest first.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
        """
        for event in self._matching(self._log_group(function), pattern, _milliseconds(since), _milliseconds(until)):
            if (read := _read(function, event)) is not None:
                yield read

    def _matching(self, group: str, pattern: str, start: int | None, end: int | None) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {"logGroupName": group, "filterPattern": pattern, "limit": _PAGE}
        if end is not None:
            request["endTime"] = end
        seen: set[str] = set()
        while True:
            answer = self._logs.filter_log_events(**request, **({} if start is None else {"startTime": start}))
            events = [event for event in answer["events"] if _identity(event) not in seen]
            yield from events
            if token := answer.get("nextToken"):
                request["nextToken"] = token
            elif len(answer["events"]) == _PAGE and events:
                # An emulator ends at a full page without a token: continue at the time that it reached.
                start = answer["events"][-1]["timestamp"]
                seen = {_identity(event) for event in answer["events"] if event["timestamp"] == start}
            else:
                return

    def trace(self, some_id: str, since: datetime) -> list[LogEvent]:
        """Return all events that name an order, request or message, and those of the requests that sent it, by time."""
        events = self._naming(some_id, FUNCTIONS, since)
        requests = {
            str(event.fields["request_id"])
            for event in events
            if event.function == "submission" and "request_id" in event.fields
        } - {some_id}
        for request_id in sorted(requests)[:_REQUESTS]:
            events += self._naming(request_id, ("submission",), since)
        unique = {(event.function, event.event_id, event.time, event.name): event for event in events}
        return sorted(unique.values(), key=lambda event: (event.time, FUNCTIONS.index(event.function)))

    def _naming(self, some_id: str, functions: tuple[str, ...], since: datetime) -> list[LogEvent]:
        # A quoted term matches as it stands. The caller has checked that the id holds no quotation mark.
        with ThreadPoolExecutor(len(functions)) as pool:
            return [
                event
                for found in pool.map(lambda name: list(self.search(name, f'"{some_id}"', since=since)), functions)
                for event in found
                if some_id in event.fields.values()
            ]


def _read(function: str, event: dict[str, Any]) -> LogEvent | None:
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(line, dict) or not isinstance(line.get("message"), str):
        return None
    return LogEvent(
        _identity(event),
        datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        function,
        line["message"],
        {name: line[name] for name in FIELDS if line.get(name) is not None},
    )


def _identity(event: dict[str, Any]) -> str:
    # CloudWatch gives every event an id, an emulator may not.
    return str(event.get("eventId") or f"{event.get('logStreamName')} {event['timestamp']} {event['message']}")


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


Metric = tuple[str, str, dict[str, str], str]
"""Namespace, name, dimensions and statistic."""


class Counts(Protocol):
    """Counts events since a moment."""

    source: str
    """Where the numbers come from, for the reader."""

    def read(self, now: datetime) -> Counter[str]:
        """Return the number of events of each name in METRICS."""


class LogCounts:
    """Counts the log's events one by one: without delay, and fit for a small system such as the local stack."""

    source = "counted in the functions' logs"

    def __init__(self, log: EventLog, began: datetime) -> None:
        self._log = log
        self._read_to = began
        self._began = began
        self._seen: dict[str, datetime] = {}
        self._counts: Counter[str] = Counter()

    def read(self, now: datetime) -> Counter[str]:
        """Return the number of events of each name in METRICS."""
        since = max(self._began, self._read_to - _LATE)
        for function, names in _EVENTS_OF.items():
            pattern = "{ " + " || ".join(f'$.message = "{name}"' for name in names) + " }"
            for event in self._log.search(function, pattern, since=since):
                if event.name in names and event.event_id not in self._seen:
                    self._seen[event.event_id] = event.time
                    self._counts[event.name] += 1
        self._read_to = now
        self._seen = {event_id: time for event_id, time in self._seen.items() if time >= now - 2 * _LATE}
        return Counter(self._counts)


class MetricCounts:
    """Sums the metrics of CloudWatch's filters: cheap on a busy system, a minute or two late."""

    source = "summed from CloudWatch's metric filters, a minute or two late"

    def __init__(self, cloudwatch: Any, namespace: str, began: datetime) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace
        self._began = began.replace(second=0, microsecond=0)
        self._next_read = began
        self._counts: Counter[str] = Counter()

    def read(self, now: datetime) -> Counter[str]:
        """Return the number of events of each name in METRICS."""
        if now >= self._next_read:
            self._next_read = now + _METRIC_REFRESH
            metrics: dict[str, Metric] = {
                event: (self._namespace, metric, {}, "Sum") for event, metric in METRICS.items()
            }
            values = metric_values(self._cloudwatch, metrics, self._began, now)
            self._counts = Counter({event: int(sum(found)) for event, found in values.items()})
        return Counter(self._counts)


def metric_values(
    cloudwatch: Any, metrics: Mapping[str, Metric], since: datetime, now: datetime
) -> dict[str, list[float]]:
    """Return each metric's value of every minute, newest first."""
    queries = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": n, "Value": value} for n, value in dimensions.items()],
                },
                "Period": _METRIC_SECONDS,
                "Stat": statistic,
            },
        }
        for key, (namespace, name, dimensions, statistic) in metrics.items()
    ]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=now + timedelta(seconds=_METRIC_SECONDS)
    )
    found: dict[str, list[float]] = {key: [] for key in metrics}
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
    return found
