"""Alarms of every kind on the emulator, evaluated by their own definitions."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployment.emulator import running_emulator
from local_stack.alarms import Alarms

NAMESPACE = "order-processing/dev"

# As terraform-backend/main.tf defines them.
NO_ORDERS = {
    "MetricName": "OrdersAccepted",
    "Statistic": "Sum",
    "EvaluationPeriods": 5,
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1.0,
    "TreatMissingData": "breaching",
}
API_SLOW = {
    "MetricName": "Latency",
    "ExtendedStatistic": "p99",
    "EvaluationPeriods": 5,
    "DatapointsToAlarm": 3,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 3000.0,
    "TreatMissingData": "notBreaching",
}


class Watch:
    """One alarm and its metric."""

    def __init__(self, cloudwatch: Any, definition: dict[str, Any], name: str) -> None:
        self._cloudwatch = cloudwatch
        self._alarms = Alarms(cloudwatch)
        self._name = name
        self._metric = f"{definition['MetricName']}-{name}"
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace=NAMESPACE, Period=60, **{**definition, "MetricName": self._metric}
        )

    def put(self, *values: float, minutes_ago: int) -> None:
        """Put values of the metric as they would have been put then."""
        moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        with self._alarms.muted():
            self._cloudwatch.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[{"MetricName": self._metric, "Timestamp": moment, "Value": value} for value in values],
            )

    def state(self) -> str:
        """Evaluate all alarms and return this one's state."""
        self._alarms.evaluate()
        return self._alarms.states()[self._name]


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        yield emulator.client("cloudwatch")


@pytest.fixture
def watch(cloudwatch: Any, request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], Watch]:
    """Return a function that defines an alarm of the test's own name."""
    return lambda definition: Watch(cloudwatch, definition, request.node.name)


def test_a_metric_that_nothing_here_measures_does_not_ring_for_being_missing(
    watch: Callable[[dict[str, Any]], Watch],
) -> None:
    assert watch(NO_ORDERS).state() != "ALARM"


def test_a_metric_that_was_measured_once_rings_when_it_stops(watch: Callable[[dict[str, Any]], Watch]) -> None:
    no_orders = watch(NO_ORDERS)
    no_orders.put(1, minutes_ago=10)
    assert no_orders.state() == "ALARM"
    no_orders.put(1, minutes_ago=0)
    assert no_orders.state() == "OK"


def test_a_percentile_rings_when_enough_minutes_are_over_its_threshold(
    watch: Callable[[dict[str, Any]], Watch],
) -> None:
    slow = watch(API_SLOW)
    slow.put(4000, minutes_ago=0)
    slow.put(20, 4000, minutes_ago=2)  # an average would be under the threshold
    assert slow.state() == "OK"
    slow.put(4000, minutes_ago=3)
    assert slow.state() == "ALARM"
