"""When an alarm rings, by its own definition."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_stack.alarms import state_of

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)

# As terraform-backend/main.tf defines the alarm on a dead-letter queue.
ALARM: dict[str, Any] = {
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "StateValue": "OK",
}


def datapoints(*values: float) -> list[tuple[datetime, float]]:
    """Return one datapoint for each minute up to the running one, which began half a minute ago."""
    running = NOW.replace(second=0)
    return [(running - timedelta(minutes=len(values) - 1 - place), value) for place, value in enumerate(values)]


def test_one_message_in_a_dead_letter_queue_rings_while_its_minute_runs() -> None:
    assert state_of(ALARM, datapoints(0, 1), NOW)[0] == "ALARM"


def test_an_empty_queue_does_not_ring() -> None:
    assert state_of(ALARM, datapoints(1, 0), NOW)[0] == "OK"


def test_it_rings_on_until_the_new_minute_has_a_value() -> None:
    last_minute = datapoints(1)[0][1], NOW.replace(second=0) - timedelta(minutes=1)
    assert state_of(ALARM, [(last_minute[1], last_minute[0])], NOW)[0] == "ALARM"


def test_a_value_is_too_old_once_a_whole_period_without_one_has_followed() -> None:
    assert state_of(ALARM, datapoints(1, 0)[:1], NOW + timedelta(minutes=1))[0] == "OK"


def test_missing_data_is_treated_as_the_alarm_says() -> None:
    for treatment, state in {"notBreaching": "OK", "breaching": "ALARM"}.items():
        assert state_of({**ALARM, "TreatMissingData": treatment}, [], NOW)[0] == state, treatment


@pytest.mark.parametrize("treatment", ["missing", "ignore"])
@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_missing_data_can_leave_the_state_as_it_is(treatment: str, state: str) -> None:
    alarm = {**ALARM, "TreatMissingData": treatment, "StateValue": state}
    assert state_of(alarm, [], NOW)[0] == state


def test_an_alarm_over_several_periods_needs_all_of_them() -> None:
    alarm = {**ALARM, "EvaluationPeriods": 3}
    assert state_of(alarm, datapoints(1, 1, 1), NOW)[0] == "ALARM"
    assert state_of(alarm, datapoints(1, 0, 1), NOW)[0] == "OK"
    assert state_of(alarm, datapoints(1, 1), NOW)[0] == "OK"


def test_an_alarm_can_need_some_of_several_periods() -> None:
    alarm = {**ALARM, "EvaluationPeriods": 5, "DatapointsToAlarm": 3}
    assert state_of(alarm, datapoints(1, 0, 1, 0, 1), NOW)[0] == "ALARM"
    assert state_of(alarm, datapoints(1, 0, 0, 0, 1), NOW)[0] == "OK"
    assert state_of(alarm, datapoints(1, 1, 1), NOW)[0] == "ALARM", "whatever else is missing"
    assert state_of(alarm, datapoints(1, 1, 1, 0, 0, 0, 0), NOW)[0] == "OK", "they are too old"


@pytest.mark.parametrize("treatment", ["missing", "ignore"])
def test_missing_data_does_not_keep_an_alarm_from_ringing_that_has_all_it_needs(treatment: str) -> None:
    alarm = {**ALARM, "EvaluationPeriods": 5, "DatapointsToAlarm": 2, "TreatMissingData": treatment}
    assert state_of(alarm, datapoints(1, 1), NOW)[0] == "ALARM"
    assert state_of(alarm, datapoints(1, 0), NOW)[0] == "OK", "as it was"


def test_an_alarm_on_what_is_missed_rings_once_it_was_missed_all_the_time() -> None:
    alarm = {
        **ALARM,
        "EvaluationPeriods": 5,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    }
    assert state_of(alarm, [], NOW)[0] == "ALARM"
    assert state_of(alarm, datapoints(0, 0), NOW)[0] == "ALARM", "nothing in two minutes, and unknown before"
    assert state_of(alarm, datapoints(3, 0, 0), NOW)[0] == "OK", "something two minutes ago"
    assert state_of(alarm, datapoints(3, 0, 0, 0, 0, 0, 0), NOW)[0] == "ALARM"


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanThreshold", 5, "OK"),
        ("GreaterThanThreshold", 6, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 5, "ALARM"),
        ("LessThanThreshold", 5, "OK"),
        ("LessThanOrEqualToThreshold", 5, "ALARM"),
    ],
)
def test_the_threshold_is_compared_as_the_alarm_says(comparison: str, value: float, state: str) -> None:
    alarm = {**ALARM, "Threshold": 5.0, "ComparisonOperator": comparison}
    assert state_of(alarm, datapoints(value), NOW)[0] == state


def test_the_reason_names_what_was_measured() -> None:
    assert state_of(ALARM, datapoints(2), NOW)[1] == (
        "Threshold Crossed: 1 of the last 1 datapoints [2] was GreaterThanThreshold (0.0)."
    )


def test_the_reason_says_how_what_was_not_measured_was_taken() -> None:
    assert state_of(ALARM, [], NOW)[1] == (
        "No datapoint was received for 1 periods; missing data is treated as notBreaching."
    )
