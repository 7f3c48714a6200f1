"""The functions' logs: search events, trace one order, count events over time."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FUNCTIONS = ("submission", "processing", "status", "notification")

# The retention of both queues together: 4 days, then 14.
LOG_DAYS = 18

# Ids, codes and numbers. No other field of a log line is ever shown.
_IDS = ("order_id", "request_id", "message_id")
_FIELDS = (*_IDS, "receives", "reason", "code", "error", "at", "messages", "records", "announced")

# Each event order_… has a metric filter Orders… in terraform-backend.
_COUNTED = ("accepted", "refused", "stored", "duplicate", "failed", "conflict", "notified")
_METRIC_SECONDS = 60


@dataclass(frozen=True)
class LogEvent:
    time: datetime
    function: str
    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class EventLog:
    """The logs of the functions of one system; `prefix` and a function's name are its log group."""

    logs: Any
    prefix: str

    def search(self, function: str, pattern: str, since: datetime) -> Iterator[LogEvent]:
        """Yield a function's events that match a filter pattern of CloudWatch Logs, oldest first.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
        """
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.prefix + function, filterPattern=pattern, startTime=int(since.timestamp() * 1000)
        )
        return (event for page in pages for line in page["events"] if (event := _read(function, line)) is not None)

    def trace(self, some_id: str, since: datetime) -> list[LogEvent]:
        """Return all events that contain the id of an order, request or message, by time."""
        # A quoted term matches literally. The caller has checked that the id contains no quotation mark.
        with ThreadPoolExecutor(len(FUNCTIONS)) as pool:
            found = pool.map(lambda function: list(self.search(function, f'"{some_id}"', since)), FUNCTIONS)
            events = [event for part in found for event in part if some_id in event.fields.values()]
        return sorted(events, key=lambda event: event.time)


def _read(function: str, event: dict[str, Any]) -> LogEvent | None:
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(line, dict) or not isinstance(line.get("message"), str):
        return None
    fields = {name: line[name] for name in _FIELDS if line.get(name) is not None}
    return LogEvent(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), function, line["message"], fields)


def event_counts(cloudwatch: Any, namespace: str, since: datetime, now: datetime) -> dict[str, int]:
    """Return the numbers of events from the metric filters. On AWS they lag by a minute or two."""
    metrics = {event: {"Namespace": namespace, "MetricName": f"Orders{event.capitalize()}"} for event in _COUNTED}
    values = metric_values(cloudwatch, metrics, "Sum", since.replace(second=0, microsecond=0), now)
    counts = {event: int(sum(found)) for event, found in values.items()}
    failed_attempts = counts.pop("failed") + counts.pop("conflict")
    return {**counts, "failed_attempts": failed_attempts}


def metric_values(
    cloudwatch: Any, metrics: Mapping[str, Mapping[str, Any]], statistic: str, since: datetime, now: datetime
) -> dict[str, list[float]]:
    read = {"Period": _METRIC_SECONDS, "Stat": statistic}
    queries = [{"Id": key, "MetricStat": {"Metric": metric, **read}} for key, metric in metrics.items()]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=now + timedelta(seconds=_METRIC_SECONDS)
    )
    found: dict[str, list[float]] = {key: [] for key in metrics}
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
    return found
