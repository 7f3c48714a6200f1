"""What the deployed functions log is counted by the deployed metric filters."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from aws_emulator.metric_filters import matches
from deployment.stack import DeployedStack
from local_stack import LocalStack
from waiting import wait_for

FUNCTIONS = ("submission", "processing", "status", "notification")


@pytest.fixture(scope="module")
def watched(local_stack: LocalStack) -> DeployedStack:
    """One of the two stacks: tests/infrastructure/test_parity.py shows that the other has the same filters."""
    return DeployedStack(local_stack)


def make_submission_fail(stack: DeployedStack) -> None:
    # A body that is no text, which no gateway hands over: the error that nobody foresaw.
    event = {"requestContext": {"requestId": f"test-{uuid.uuid4().hex}"}, "headers": {}, "body": 1}
    answer = stack.client("lambda").invoke(
        FunctionName=f"{stack.prefix}-submission", Qualifier="live", Payload=json.dumps(event)
    )
    assert json.load(answer["Payload"])["statusCode"] == 500


def make_status_fail(stack: DeployedStack) -> None:
    with stack.permission_removed("status", "dynamodb:GetItem"):
        assert stack.api.get(stack.message("nobody")["order_id"]).status == 503


def make_processing_fail(stack: DeployedStack) -> None:
    with stack.permission_removed("processing", "dynamodb:PartiQLInsert"):
        before = len(stack.events("processing", "request_failed"))
        stack.api.post(stack.sample_body)
        wait_for("a failed batch", lambda: len(stack.events("processing", "request_failed")) > before)


def make_notification_fail(stack: DeployedStack) -> None:
    with stack.permission_removed("notification", "sns:Publish"):
        before = len(stack.events("notification", "notification_failed"))
        stack.wait_until_processed(stack.api.post(stack.sample_body).json()["order_id"])
        wait_for("a failed announcement", lambda: len(stack.events("notification", "notification_failed")) > before)


@pytest.fixture(scope="module")
def eventful(watched: DeployedStack) -> DeployedStack:
    """The stack after all has happened to orders that can."""
    watched.warm_up()
    watched.api.post(b"{}")
    customer = f"counted-{uuid.uuid4().hex[:8]}"
    first = watched.message(customer)
    forged = {**first, "order": {**first["order"], "quantity": 2}}
    watched.send_to_queue(first)
    watched.wait_until_processed(first["order_id"])
    with watched.quick_redelivery():
        watched.send_to_queue(first, forged, f"poison-{customer}")
        make_submission_fail(watched)
        make_status_fail(watched)
        make_processing_fail(watched)
        make_notification_fail(watched)
        wait_for("the last failure", lambda: [e for e in watched.events("processing") if e.get("receives") == 5])
    return watched


def filters_of(stack: DeployedStack, function: str) -> list[tuple[str, str]]:
    """Return the metric and the pattern of each filter over a deployed function's log."""
    log_group = f"/aws/lambda/{stack.prefix}-{function}"
    found = stack.client("logs").describe_metric_filters(logGroupName=log_group)["metricFilters"]
    return [(each["metricTransformations"][0]["metricName"], each["filterPattern"]) for each in found]


def count(stack: DeployedStack, metric: str) -> float:
    """Return what a metric has counted in the last hours."""
    now = datetime.now(UTC)
    found = stack.client("cloudwatch").get_metric_statistics(
        Namespace="order-processing/dev",
        MetricName=metric,
        StartTime=now - timedelta(hours=4),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return float(sum(each["Sum"] for each in found["Datapoints"]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_metric_counts_something_that_its_function_logged(eventful: DeployedStack, function: str) -> None:
    metrics = {metric for metric, _ in filters_of(eventful, function)}
    assert metrics, "what the function logs is counted"
    wait_for(f"a value of each of {metrics}", lambda: all(count(eventful, metric) for metric in metrics))


def test_an_order_is_counted_once_at_each_station(watched: DeployedStack) -> None:
    order_id = watched.api.post(watched.sample_body).json()["order_id"]
    wait_for("the announcement", lambda: watched.events("notification", "order_notified", order_id))
    lines = {function: watched.log_of(function).splitlines() for function in FUNCTIONS}
    counted = {
        metric: sum(order_id in line and matches(pattern, line) for line in lines[function])
        for function in FUNCTIONS
        for metric, pattern in filters_of(watched, function)
    }
    assert {metric for metric, count in counted.items() if count} == {
        "OrdersAccepted",
        "OrdersStored",
        "OrdersNotified",
    }
    assert set(counted.values()) == {0, 1}
