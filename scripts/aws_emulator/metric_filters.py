"""CloudWatch metric filters, which ministack stores and never evaluates.

Only the patterns that this project uses are supported: comparisons of one field, joined by &&. Others raise an error.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs

_COMPARISON = re.compile(r'\$\.(\w+) (?:= "([^"\\*]*)"|(=|>=) (\d+))')
_PERIOD_SECONDS = 60

# Several threads write the logs of the functions' workers.
_lock = threading.Lock()


def matches(pattern: str, line: str) -> bool:
    """Return whether a metric filter with `pattern` counts a line; raise ValueError for an unsupported pattern.

    As on AWS, a line that is not a JSON object matches none.
    """
    comparisons = [_COMPARISON.fullmatch(each) for each in pattern.strip("{ }").split(" && ")]
    if None in comparisons:
        raise ValueError(f'only patterns such as {{ $.message = "order_stored" }} can be evaluated, not {pattern}')
    event = _event(line)
    return event is not None and all(_holds(each, event) for each in comparisons if each)


def _holds(comparison: re.Match[str], event: Mapping[str, Any]) -> bool:
    field, text, operator, number = comparison.groups()
    value = event.get(field)
    if text is not None:
        return bool(value == text)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return value >= int(number) if operator == ">=" else value == int(number)


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def patch() -> None:
    """Evaluate the metric filters of a log group for each line that it receives."""
    deliver = cloudwatch_logs._fanout_to_subscription_filters

    def deliver_and_count(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        deliver(group, stream, events)
        filters = [each for each in list(cloudwatch_logs._metric_filters.values()) if each["logGroupName"] == group]
        with _lock:
            for each in filters:
                _count(each, [event["message"] for event in events])

    cloudwatch_logs._fanout_to_subscription_filters = deliver_and_count


def _count(metric_filter: Mapping[str, Any], lines: Iterable[str]) -> None:
    counted = [line for line in lines if matches(metric_filter["filterPattern"], line)]
    for transformation in metric_filter["metricTransformations"]:
        if not counted and transformation.get("defaultValue") is not None:
            _add(transformation, float(transformation["defaultValue"]))
        for _ in counted:
            _add(transformation, float(transformation["metricValue"]))


def _add(transformation: Mapping[str, Any], value: float) -> None:
    """Add a value to that of the current minute, because ministack keeps each point for two weeks."""
    namespace, name = transformation["metricNamespace"], transformation["metricName"]
    points = cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key({})))
    minute = time.time() // _PERIOD_SECONDS * _PERIOD_SECONDS
    if points and points[-1]["Timestamp"] == minute:
        points[-1]["Value"] += value
    else:
        cloudwatch._store_datum(namespace, name, {}, minute, "Count", value, None, None, None)
