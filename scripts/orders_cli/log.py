"""The functions' logs: search events, trace one order, count events over time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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
_METRIC_SECONDS = 60


@dataclass(frozen=True)
class LogEvent:
    event_id: str
    time: datetime
    function: str
    name: str
    fields: dict[str, Any]


class EventLog:
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


def event_counts(cloudwatch: Any, namespace: str, since: datetime, now: datetime) -> Counter[str]:
    """Return the number of events of each name in METRICS, by CloudWatch's filters: on AWS a minute or two late."""
    metrics: dict[str, Metric] = {event: (namespace, metric, {}, "Sum") for event, metric in METRICS.items()}
    values = metric_values(cloudwatch, metrics, since.replace(second=0, microsecond=0), now)
    return Counter({event: int(sum(found)) for event, found in values.items()})


def metric_values(
    cloudwatch: Any, metrics: Mapping[str, Metric], since: datetime, now: datetime
) -> dict[str, list[float]]:
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
