"""Each deployed alarm is raised, and returns to OK, by CloudWatch's rules."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any
from unittest.mock import MagicMock

import pytest

from local_stack import alarms
from local_stack.alarms import Alarms, Series, result_of, series_of, state_of
from support.repository.cloudformation import Template

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LETTERS = {"OK": "O", "ALARM": "A", "INSUFFICIENT_DATA": "I"}


@cache
def deployed() -> dict[str, dict[str, Any]]:
    """Return the template's alarms by name, as CloudWatch describes them. Terraform's are the same: test_parity.py."""
    resources = Template.read().resources(NotificationEmail="operations@example.com", NoOrdersAlarmMinutes="5").values()
    alarms = (each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm")
    numbers = {"EvaluationPeriods": int, "Threshold": float}
    return {
        alarm["AlarmName"].removeprefix("order-processing-dev-"): {
            "Dimensions": [],
            **alarm,
            **{name: number(alarm[name]) for name, number in numbers.items()},
        }
        for alarm in alarms
    }


def values(text: str) -> Series:
    """Read one value for each minute: "-" is a minute without a datapoint, "0*5" five minutes of zero."""
    read: Series = []
    for part in text.split():
        value, _, times = part.partition("*")
        read += [None if value == "-" else float(value)] * int(times or 1)
    return read


def states(alarm: Mapping[str, Any], metrics: Mapping[str, str]) -> str:
    """Evaluate an alarm after each minute, and return its states like "O3 A2"."""
    minutes = {name: values(text) for name, text in metrics.items()}
    state, seen = "OK", []
    for minute in range(max(map(len, minutes.values()))):
        past = {
            name: {START + timedelta(minutes=at): v for at, v in enumerate(series[: minute + 1]) if v is not None}
            for name, series in minutes.items()
        }
        now = START + timedelta(minutes=minute, seconds=59)
        state, _ = state_of({**alarm, "StateValue": state}, series_of(alarm, past, now))
        seen.append(LETTERS[state])
    return " ".join(f"{letter}{len(list(same))}" for letter, same in groupby(seen))


# The state A (ALARM) lasts until the problem is solved. Each row ends with OK, or with the state that remains without data.
DEPLOYED = [
    # SQS may stop sending a metric while messages wait. A datapoint of 0 means that the queue is empty.
    ("orders-dlq", {"metric": "0 1 1 -*90 0"}, "O1 A92 O1"),
    ("notifications-dlq", {"metric": "0 1 1 -*90 0"}, "O1 A92 O1"),
    # Two dead letters in adjacent minutes: each raises one of the two alarms.
    ("dead-letter-even-minute", {"failed": "0 0 1 1 0 0"}, "O2 A1 O3"),
    ("dead-letter-odd-minute", {"failed": "0 0 1 1 0 0"}, "O3 A1 O2"),
    # Two minutes apart. CloudWatch evaluates the last datapoint again if processing logged nothing in between.
    ("dead-letter-even-minute", {"failed": "1 0 1 0"}, "A1 O1 A1 O1"),
    ("dead-letter-even-minute", {"failed": "1 - 1 0"}, "A3 O1"),
    ("dead-letter-odd-minute", {"failed": "1 - 1 0"}, "O4"),
    # The event source mapping is disabled: the oldest message ages until it is enabled and the queue is drained.
    ("orders-waiting", {"metric": "60 180 301 3600 36000 -*4"}, "O2 A5 O2"),
    # A poison order fails at each of its five deliveries, three minutes apart.
    ("processing-failing", {"metric": "1 -*2 1 -*2 1 -*2 1 -*2 1 -*12"}, "O3 A18 O4"),
    ("processing-failing", {"metric": "9 -*11"}, "O12"),
    ("processing-errors", {"metric": "0 1 0 0 1 0 0 1 0*6"}, "O1 A12 O1"),
    ("notification-failing", {"metric": "- 1 - 1 -*12"}, "O3 A10 O3"),
    # Notification's mapping is disabled while orders arrive; then it is enabled and catches up.
    ("notifications-late", {"stored": "1*40", "notified": "1*10 -*20 21 1*9"}, "O20 A10 O10"),
    # It is disabled and one order arrives in a night. Nothing is logged until it is enabled.
    ("notifications-late", {"stored": "-*3 1 -*300", "notified": "-*303 1"}, "O13 A290 O1"),
    # An order in flight at the end of a minute, in a quiet shop and in a busy one.
    ("notifications-late", {"stored": "1 -*5 1 -*20", "notified": "- 1 -*5 1 -*19"}, "O27"),
    ("notifications-late", {"stored": "600*30", "notified": "599 600*4 599 600*4 599 600*4 599 600*14"}, "O30"),
    # One order, announced an hour later.
    ("notifications-late", {"stored": "1 -*60", "notified": "-*60 1"}, "O10 A50 O1"),
    ("no-orders", {"metric": "1 0*5 1"}, "O5 A1 O1"),
    ("no-orders", {"metric": "1 -*7 1"}, "O7 A1 O1"),
    *(
        (name, {"metric": f"{usual}*2 {flood}*4 {usual}*4"}, "O4 A4 O2")
        for name, usual, flood in [
            ("orders-flood", 600, 601),
            ("api-flood", 6000, 6001),
            ("api-4xx", 300, 301),
            ("api-slow", 3000, 3001),
        ]
    ),
    ("api-slow", {"metric": "4000 -*5 4000 -*5"}, "O12"),
    *(
        (name, {"metric": "0 1 0*5"}, "O1 A5 O1")
        for name in ("api-5xx", *(f"{f}-throttles" for f in ("submission", "processing", "status", "notification")))
    ),
    *(
        (f"{function}-errors", {"metric": "0 1 0*5"}, "O1 A5 O1")
        for function in ("submission", "status", "notification")
    ),
    # The notification of this alarm also fails, and counts.
    ("alerts-undelivered", {"metric": "0 1 1 0*15"}, "O1 A16 O1"),
]


@pytest.mark.parametrize(("name", "metrics", "expected"), DEPLOYED)
def test_deployed_alarm_is_raised_until_the_problem_is_solved(
    name: str, metrics: Mapping[str, str], expected: str
) -> None:
    assert states(deployed()[name], metrics) == expected


@pytest.mark.parametrize(("metrics", "expected"), [row[1:] for row in DEPLOYED if row[0] == "notifications-late"])
def test_notifications_late_alarm_does_not_depend_on_missing_operands(
    metrics: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS documents that a missing operand counts as 0. The alarm must also work if the result were missing instead.
    usual = alarms._combined
    monkeypatch.setattr(alarms, "_combined", lambda operation, left, right, _: usual(operation, left, right, False))
    assert states(deployed()["notifications-late"], metrics) == expected


def test_every_deployed_alarm_is_in_the_table() -> None:
    assert {name for name, *_ in DEPLOYED} == deployed().keys()


# AWS's own tables: five datapoints, and the state for each treatment of missing data.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
AWS = [
    (3, "0 - X - X", "OK OK OK OK"),
    (3, "0 - - - -", "OK OK OK OK"),
    (3, "- - - - -", "INSUFFICIENT_DATA retained ALARM OK"),
    (3, "0 X X - X", "ALARM ALARM ALARM ALARM"),
    (3, "- - X - -", "ALARM retained ALARM OK"),
    (2, "0 - X - X", "ALARM ALARM ALARM ALARM"),
    (2, "0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
    (2, "0 - X - -", "OK OK ALARM OK"),
    (2, "- - - - 0", "OK OK ALARM OK"),
    (2, "- - - X -", "ALARM retained ALARM OK"),
    # From the text of that page, on premature transitions.
    (3, "- - - - X", "INSUFFICIENT_DATA retained ALARM OK"),
    (3, "- - - X -", "INSUFFICIENT_DATA retained ALARM OK"),
]


@pytest.mark.parametrize(("needed", "datapoints", "expected"), AWS)
def test_missing_data_is_treated_as_aws_documents(needed: int, datapoints: str, expected: str) -> None:
    for treatment, state in zip(("missing", "ignore", "breaching", "notBreaching"), expected.split(), strict=True):
        alarm = {
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": needed,
            "Threshold": 0.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": treatment,
            "StateValue": "retained",
        }
        assert state_of(alarm, values(datapoints.replace("X", "1")))[0] == state, treatment


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a - b", "1 2 -3 -"),
        ("a / b", "2 - 0 -"),  # a division by zero is no datapoint
        ("a > 1", "1 1 - -"),
        ("2 * FLOOR(a / 2)", "2 2 - -"),
        ("FILL(a, REPEAT)", "2 2 2 2"),
        ("FILL(b, REPEAT)", "1 1 3 3"),
        ("FILL(b, 0)", "1 0 3 0"),
        ("MINUTE(a)", "58 59 0 1"),
        ("IF(a > 0, b, 9)", "1 0 - -"),  # a missing b counts as 0
        ("IF(b - 1, 5, a)", "2 - 5 -"),
    ],
)
def test_metric_math_treats_missing_values_as_aws_does(expression: str, expected: str) -> None:
    metrics = {"a": values("2 2 - -"), "b": values("1 - 3 -")}
    starts = [START + timedelta(minutes=offset) for offset in (-2, -1, 0, 1)]
    assert result_of(expression, metrics, starts) == values(expected)


def test_unknown_metric_math_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"RUNNING_SUM\(a\)"):
        result_of("RUNNING_SUM(a)", {"a": [1.0]}, [START])


def test_alarm_of_a_missing_queue_stops_no_other_alarm() -> None:
    cloudwatch, sqs = MagicMock(), MagicMock()
    sqs.exceptions.QueueDoesNotExist = KeyError
    sqs.get_queue_url.side_effect = lambda **of: {"present": {"QueueUrl": "url"}}[of["QueueName"]]
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}
    named = [{**metric, "Dimensions": [{"Name": "QueueName", "Value": name}]} for name in ("missing", "present")]
    Alarms(cloudwatch, sqs)._put_queue_metrics(named)
    [datum] = cloudwatch.put_metric_data.call_args.kwargs["MetricData"]
    assert datum["Dimensions"] == named[1]["Dimensions"]
