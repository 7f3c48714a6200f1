"""The evaluation of alarms, which the emulator does not do as CloudWatch does.

The emulator keeps alarms and carries out their actions, but it evaluates them only when somebody puts a metric or
defines an alarm, and then without looking at their dimensions: a message in one dead-letter queue would ring for every
dead-letter queue, an error of one function for all functions. So its own evaluation is muted (`Alarms.muted`), and
`Alarms.evaluate` does what CloudWatch does: it reads each alarm's metric, dimensions and all, and sets the alarm's
state by the alarm's own definition. An alarm that watches the wrong queue stays silent, as on AWS. For the moment of
a mute the state can be read wrong; nobody is told of it.

What cannot ring here, because nothing in the emulator measures it: the age of the oldest message, a stream's
iterator age, the API's responses and their latency, and what metric filters count, for to evaluate them every log
would have to be read again and again. `SetAlarmState` rings any of them by hand. An alarm for which missing data is
the failure is left alone for as long as its metric has never been measured.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class Alarms:
    """The metric alarms that were deployed to the emulator."""

    def __init__(self, cloudwatch: Any) -> None:
        self._cloudwatch = cloudwatch

    def definitions(self) -> list[dict[str, Any]]:
        """Return every alarm as CloudWatch describes it."""
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
        return [alarm for page in pages for alarm in page["MetricAlarms"]]

    def states(self) -> dict[str, str]:
        """Return the state of every alarm by its name."""
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in self.definitions()}

    def topics(self) -> set[str]:
        """Return the ARNs of all that the alarms tell of a change."""
        return {action for alarm in self.definitions() for action in alarm["AlarmActions"] + alarm["OKActions"]}

    def settle(self, states: Mapping[str, str]) -> None:
        """Put every alarm back into its state of `states`, and one that is new into OK, which is no news.

        For after a deployment, during which the emulator has evaluated alarms in its own way.
        """
        for alarm in self.definitions():
            state = states.get(alarm["AlarmName"], "OK")
            if alarm["StateValue"] != state:
                self._set_state(alarm["AlarmName"], state, "As before the deployment")
        # Should a run have ended while they were muted.
        if names := list(self.states()):
            self._cloudwatch.enable_alarm_actions(AlarmNames=names)

    def evaluate(self) -> None:
        """Bring the state of every alarm up to date; the emulator acts for those whose state changes."""
        alarms = self.definitions()
        if not alarms:
            return
        now = datetime.now(UTC)
        longest = max(alarm["Period"] * (alarm["EvaluationPeriods"] + 1) for alarm in alarms)
        answer = self._cloudwatch.get_metric_data(
            MetricDataQueries=[_query(f"alarm{position}", alarm) for position, alarm in enumerate(alarms)],
            StartTime=now - timedelta(seconds=longest),
            EndTime=now + timedelta(seconds=1),
            ScanBy="TimestampAscending",
        )
        results = {result["Id"]: result for result in answer["MetricDataResults"]}
        for position, alarm in enumerate(alarms):
            result = results[f"alarm{position}"]
            datapoints = list(zip(result["Timestamps"], result["Values"], strict=True))
            if not datapoints and alarm.get("TreatMissingData") == "breaching" and not self._is_measured(alarm):
                continue
            state, reason = state_of(alarm, datapoints, now)
            if state != alarm["StateValue"]:
                self._set_state(alarm["AlarmName"], state, reason)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Undo what the emulator's own evaluation does to alarms meanwhile, before anybody hears of it."""
        before = self.definitions()
        enabled = [alarm["AlarmName"] for alarm in before if alarm["ActionsEnabled"]]
        if enabled:
            self._cloudwatch.disable_alarm_actions(AlarmNames=enabled)
        try:
            yield
        finally:
            after = self.states()
            for alarm in before:
                if after.get(alarm["AlarmName"], alarm["StateValue"]) != alarm["StateValue"]:
                    self._set_state(alarm["AlarmName"], alarm["StateValue"], alarm["StateReason"])
            if enabled:
                self._cloudwatch.enable_alarm_actions(AlarmNames=enabled)

    def _is_measured(self, alarm: Mapping[str, Any]) -> bool:
        """Whether the alarm's metric has ever had a value."""
        found = self._cloudwatch.list_metrics(
            Namespace=alarm["Namespace"], MetricName=alarm["MetricName"], Dimensions=alarm["Dimensions"]
        )
        return bool(found["Metrics"])

    def _set_state(self, name: str, state: str, reason: str) -> None:
        # Somebody may have deleted it meanwhile, such as Terraform.
        with suppress(self._cloudwatch.exceptions.ResourceNotFound):
            self._cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)


def _query(query_id: str, alarm: Mapping[str, Any]) -> dict[str, Any]:
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    # A percentile first: the emulator makes up a Statistic beside it.
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    return {
        "Id": query_id,
        "MetricStat": {"Metric": metric, "Period": alarm["Period"], "Stat": statistic},
    }


def state_of(alarm: Mapping[str, Any], datapoints: Sequence[tuple[datetime, float]], now: datetime) -> tuple[str, str]:
    """Return the state of `alarm`, and the reason, from its metric's `datapoints`, oldest first.

    As on AWS it is in ALARM when DatapointsToAlarm of the last EvaluationPeriods datapoints, or all of them where
    that is not given, are over the threshold, and the newest one counts while its period is not over. A datapoint is
    too old once a whole period without one has followed.
    """
    period, count = timedelta(seconds=alarm["Period"]), alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or count
    recent = [value for start, value in datapoints if start + period * (count + 1) > now][-count:]
    missing = count - len(recent)
    comparison, threshold = alarm["ComparisonOperator"], alarm["Threshold"]
    breaching = [value for value in recent if _COMPARISONS[comparison](value, threshold)]
    ringing = len(breaching) >= needed
    if missing and not ringing:
        if alarm.get("TreatMissingData", "missing") in ("missing", "ignore"):
            return alarm["StateValue"], "no new data"
        ringing = alarm["TreatMissingData"] == "breaching" and len(breaching) + missing >= needed
    reason = (
        f"Threshold Crossed: {len(breaching)} of the last {count} datapoints {recent} "
        f"{'was' if ringing else 'needed to be'} {comparison} ({threshold})"
        if recent
        else f"No datapoint was received for {count} periods"
    )
    if missing:
        reason += f"; missing data is treated as {alarm.get('TreatMissingData')}"
    return ("ALARM" if ringing else "OK"), f"{reason}."
