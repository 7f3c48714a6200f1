"""Evaluate alarms as CloudWatch does. The emulator leaves this to the local stack.

`state_of` follows AWS's rules for missing data. `result_of` computes the metric math that this project uses.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

Unlike AWS, this evaluates the current minute too, so an alarm is raised within seconds. The emulator has the functions'
errors and throttles and the values of metric filters; `Alarms` adds the depth of the dead-letter queues. Other metrics
are missing: test their alarms with SetAlarmState.
"""

import ast
import math
import operator
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

Series = list[float | None]
"""The values of consecutive periods, oldest first; None where there is no datapoint."""

MINUTE = timedelta(minutes=1)

# SQS sends one value per minute. Three per minute ensure that every minute has one on a busy machine.
_QUEUE_METRIC_SECONDS = 20
_QUEUE_METRIC = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

# Combines minutes into a longer period. Other statistics are used only with periods of one minute.
_OVER_MINUTES: dict[str, Callable[[Iterable[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}


def evaluation_range(alarm: Mapping[str, Any]) -> int:
    """Return how many periods are read. AWS states no rule; its examples have 5 for 3 evaluation periods."""
    return int(alarm["EvaluationPeriods"]) + 2


def state_of(alarm: Mapping[str, Any], series: Series) -> tuple[str, str]:
    """Return an alarm's state and the reason, from the values in its evaluation range."""
    count = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or count
    treatment = alarm.get("TreatMissingData", "missing")
    comparison, threshold = alarm["ComparisonOperator"], alarm["Threshold"]

    existing = [value for value in series if value is not None]
    recent = existing[-count:]
    breaching = [value for value in recent if _COMPARISONS[comparison](value, threshold)]
    missing = count - len(recent)

    if len(breaching) >= needed:
        state = "ALARM"
    elif missing and treatment == "breaching":
        state = "ALARM" if len(breaching) + missing >= needed else "OK"
    elif missing and treatment in ("missing", "ignore") and len(breaching) == len(recent):
        # Every datapoint breaches. The alarm is raised once the oldest one is at least `needed` periods old.
        oldest = next((age for age, value in enumerate(series) if value is not None), len(series))
        is_old_enough = len(series) - oldest >= needed
        insufficient = "ALARM" if is_old_enough and breaching else "INSUFFICIENT_DATA"
        state = alarm["StateValue"] if treatment == "ignore" else insufficient
    else:
        state = "OK"

    if not recent:
        return state, f"No datapoint was received; missing data is treated as {treatment}."
    crossed = f"{len(breaching)} of the last {count} datapoints {recent} breached: {comparison} ({threshold})"
    return state, f"Threshold Crossed: {crossed}."


def result_of(expression: str, metrics: Mapping[str, Series], starts: Sequence[datetime]) -> Series:
    """Return the series of an expression over `metrics`, by id; a period begins at each of `starts`."""

    def value(node: ast.expr) -> Series:
        # Metric math has the syntax of Python. A number is a series without missing values.
        match node:
            case ast.Name(name):
                found = metrics[name]
            case ast.Constant(int() | float() as number):
                found = [float(number)] * len(starts)
            case ast.BinOp(left, kind, right) | ast.Compare(left, [kind], [right]):
                both_may_miss = not isinstance(left, ast.Constant) and not isinstance(right, ast.Constant)
                found = _combined(_OPERATORS[type(kind)], value(left), value(right), both_may_miss)
            case ast.Call(ast.Name("MINUTE"), [_]):
                found = [float(start.minute) for start in starts]
            case ast.Call(ast.Name("FLOOR"), [argument]):
                found = [None if each is None else math.floor(each) for each in value(argument)]
            case ast.Call(ast.Name("FILL"), [argument, ast.Name("REPEAT")]):
                found = _repeated(value(argument))
            case ast.Call(ast.Name("FILL"), [argument, ast.Constant(int() | float() as number)]):
                found = [float(number) if each is None else each for each in value(argument)]
            case ast.Call(ast.Name("IF"), [condition, if_true, if_false]):
                branches = zip(value(condition), value(if_true), value(if_false), strict=True)
                found = [None if test is None else ((yes or 0.0) if test else no) for test, yes, no in branches]
            case _:
                raise ValueError(f"metric math is not implemented for {ast.unparse(node)}")
        return found

    return value(_parsed(expression))


@cache
def _parsed(expression: str) -> ast.expr:
    # Cached because Python before 3.11.8 fails if two threads parse at the same time:
    # https://github.com/python/cpython/issues/106905
    return ast.parse(expression, mode="eval").body


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Sub: operator.sub,
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
}


def _combined(operation: Callable[[float, float], float], left: Series, right: Series, both_may_miss: bool) -> Series:
    """Apply an operation to each period. If only one of two series has a value there, the other counts as 0."""

    def combined(one: float | None, other: float | None) -> float | None:
        if (one is None) + (other is None) <= both_may_miss:
            # A division by zero yields no datapoint.
            with suppress(ZeroDivisionError):
                return float(operation(one or 0.0, other or 0.0))
        return None

    return [combined(one, other) for one, other in zip(left, right, strict=True)]


def _repeated(series: Series) -> Series:
    filled: Series = []
    for value in series:
        filled.append(filled[-1] if value is None and filled else value)
    return filled


def metrics_of(alarm: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics of an alarm by id, each in the format of GetMetricData."""
    if queries := alarm.get("Metrics"):
        return {query["Id"]: query["MetricStat"] for query in queries if "MetricStat" in query}
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    # Read the percentile first, because the emulator adds a Statistic.
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    return {"metric": {"Metric": metric, "Period": alarm["Period"], "Stat": statistic}}


def series_of(alarm: Mapping[str, Any], minutes: Mapping[str, Mapping[datetime, float]], now: datetime) -> Series:
    """Return the values in an alarm's evaluation range, which ends with the current minute."""
    metrics = metrics_of(alarm)
    period = timedelta(seconds=next(iter(metrics.values()))["Period"])
    end = now.replace(second=0, microsecond=0) + MINUTE
    starts = [end - period * age for age in range(evaluation_range(alarm), 0, -1)]

    def over_periods(name: str) -> Series:
        combine = _OVER_MINUTES.get(metrics[name]["Stat"], max)
        windows = ([v for at, v in minutes[name].items() if start <= at < start + period] for start in starts)
        return [combine(window) if window else None for window in windows]

    found = {name: over_periods(name) for name in metrics}
    if expressions := [query["Expression"] for query in alarm.get("Metrics", []) if "Expression" in query]:
        return result_of(expressions[0], found, starts)
    return found["metric"]


class Alarms:
    """The metric alarms that are deployed to the emulator."""

    def __init__(self, cloudwatch: Any, sqs: Any) -> None:
        self._cloudwatch = cloudwatch
        self._sqs = sqs
        self._queue_urls: dict[str, str] = {}
        self._visible: dict[str, int] = {}
        self._put_at = float("-inf")

    def definitions(self) -> list[dict[str, Any]]:
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
        return [alarm for page in pages for alarm in page["MetricAlarms"]]

    def initialize(self) -> None:
        """Set every new alarm to OK before the mailbox subscribes. AWS sends an e-mail for each."""
        for alarm in self.definitions():
            if alarm["StateValue"] == "INSUFFICIENT_DATA":
                self._set_state(alarm["AlarmName"], "OK", "Deployed")

    def evaluate(self) -> None:
        """Update the state of every alarm. The emulator notifies the topics of an alarm whose state changes."""
        alarms = self.definitions()
        if not alarms:
            return
        self._put_queue_metrics(alarms)
        now = datetime.now(UTC)
        queries, longest = [], 0
        for position, alarm in enumerate(alarms):
            for name, metric in metrics_of(alarm).items():
                queries.append({"Id": f"m{position}_{name}", "MetricStat": {**metric, "Period": 60}})
                longest = max(longest, metric["Period"] * evaluation_range(alarm))
        start = now.replace(second=0, microsecond=0) - timedelta(seconds=longest)
        response = self._cloudwatch.get_metric_data(
            MetricDataQueries=queries, StartTime=start, EndTime=now + timedelta(seconds=1)
        )
        results = response["MetricDataResults"]
        found = {each["Id"]: dict(zip(each["Timestamps"], each["Values"], strict=True)) for each in results}
        for position, alarm in enumerate(alarms):
            minutes = {name: found[f"m{position}_{name}"] for name in metrics_of(alarm)}
            state, reason = state_of(alarm, series_of(alarm, minutes, now))
            if state != alarm["StateValue"]:
                self._set_state(alarm["AlarmName"], state, reason)

    def _set_state(self, name: str, state: str, reason: str) -> None:
        # Terraform may have deleted the alarm in the meantime.
        with suppress(self._cloudwatch.exceptions.ResourceNotFound):
            self._cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)

    def _put_queue_metrics(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Put the number of visible messages of each queue with an alarm, at an interval and after each change."""
        visible = {}
        for alarm in alarms:
            if (alarm.get("Namespace"), alarm.get("MetricName")) == _QUEUE_METRIC:
                [name] = [each["Value"] for each in alarm["Dimensions"]]
                # An alarm may name a queue that does not exist. Then there is no metric, as on AWS.
                with suppress(self._sqs.exceptions.QueueDoesNotExist):
                    visible[name] = self._visible_messages(name)
        now = time.monotonic()
        if not visible or (visible == self._visible and now < self._put_at + _QUEUE_METRIC_SECONDS):
            return
        namespace, metric = _QUEUE_METRIC
        data = [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "QueueName", "Value": name}],
                "Value": count,
                "Unit": "Count",
            }
            for name, count in visible.items()
        ]
        self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
        self._visible, self._put_at = visible, now

    def _visible_messages(self, queue_name: str) -> int:
        if queue_name not in self._queue_urls:
            self._queue_urls[queue_name] = self._sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
        url = self._queue_urls[queue_name]
        response = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(response["Attributes"]["ApproximateNumberOfMessages"])
