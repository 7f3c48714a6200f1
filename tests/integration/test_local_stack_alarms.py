"""What the emulator needs for alarms: metric filters that count, alarms on expressions, and their evaluation."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local_stack.alarms import Alarms
from support.deployment.emulator import Emulator, running_emulator

NAMESPACE = "order-processing/dev"
LOG = {"logGroupName": "/aws/lambda/processing", "logStreamName": "stream"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        logs = emulator.client("logs")
        logs.create_log_group(logGroupName=LOG["logGroupName"])
        logs.create_log_stream(**LOG)
        yield emulator


@pytest.fixture
def metric(emulator: Emulator, request: pytest.FixtureRequest) -> str:
    """Return the name of a metric of the test's own, of which a metric filter counts the last failures."""
    name = str(request.node.name)
    emulator.client("logs").put_metric_filter(
        logGroupName=LOG["logGroupName"],
        filterName=name,
        filterPattern='{ $.level = "ERROR" && $.receives >= 5 }',
        metricTransformations=[
            {"metricNamespace": NAMESPACE, "metricName": name, "metricValue": "1", "defaultValue": 0}
        ],
    )
    return name


def log(emulator: Emulator, *receives: int) -> None:
    lines = [json.dumps({"level": "ERROR", "message": "order_failed", "receives": number}) for number in receives]
    emulator.client("logs").put_log_events(
        **LOG, logEvents=[{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    )


def sums(emulator: Emulator, metric: str) -> list[float]:
    query: dict[str, Any] = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric}, "Period": 60, "Stat": "Sum"}
    found = emulator.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": query}], StartTime=time.time() - 600, EndTime=time.time() + 1
    )
    return list(found["MetricDataResults"][0]["Values"])


def test_metric_filter_counts_matching_lines_and_puts_its_default_for_others(emulator: Emulator, metric: str) -> None:
    assert sums(emulator, metric) == []
    log(emulator, 1, 4)
    assert sum(sums(emulator, metric)) == 0
    assert sums(emulator, metric)
    log(emulator, 5, 2, 5)
    log(emulator, 5)
    assert sum(sums(emulator, metric)) == 3


def test_alarm_on_an_expression_is_kept_and_evaluated(emulator: Emulator, metric: str) -> None:
    cloudwatch = emulator.client("cloudwatch")
    query = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric}, "Period": 60, "Stat": "Sum"}
    cloudwatch.put_metric_alarm(
        AlarmName=metric,
        Metrics=[
            {"Id": "failed", "ReturnData": False, "MetricStat": query},
            {"Id": "result", "Expression": "IF(failed > 0, failed - 1, 0)"},
        ],
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    alarms = Alarms(cloudwatch)

    def state() -> str:
        alarms.evaluate()
        [alarm] = [each for each in alarms.definitions() if each["AlarmName"] == metric]
        assert "MetricName" not in alarm
        return str(alarm["StateValue"])

    log(emulator, 5)
    assert state() == "OK"
    log(emulator, 5, 5)
    assert state() == "ALARM"


def test_https_subscription_has_its_arn_before_it_is_confirmed(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    subscription = sns.subscribe(
        TopicArn=sns.create_topic(Name="alerts")["TopicArn"],
        Protocol="https",
        Endpoint="https://127.0.0.1:9/sns",
        ReturnSubscriptionArn=True,
    )
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
    assert attributes["PendingConfirmation"] == "true"
