"""The deployed metric filters count each step of an order in the functions' logs."""

from datetime import UTC, datetime, timedelta

from aws_emulator.metric_filters import matches
from support.deployment.stack import DeployedStack
from support.waiting import wait_for

FUNCTIONS = ("submission", "processing", "status", "notification")


def test_order_is_counted_once_by_each_function(one_stack: DeployedStack) -> None:
    stack = one_stack
    order_id = stack.api.post(stack.sample_body).json()["order_id"]
    wait_for("the announcement", lambda: stack.events("notification", "order_notified", order_id))
    counted = {}
    for function in FUNCTIONS:
        filters = stack.client("logs").describe_metric_filters(logGroupName=f"/aws/lambda/{stack.prefix}-{function}")
        lines = [line for line in stack.log_of(function).splitlines() if order_id in line]
        for each in filters["metricFilters"]:
            metric = each["metricTransformations"][0]["metricName"]
            counted[metric] = sum(matches(each["filterPattern"], line) for line in lines)
    assert {metric: count for metric, count in counted.items() if count} == {
        "OrdersAccepted": 1,
        "OrdersStored": 1,
        "OrdersNotified": 1,
    }
    now = datetime.now(UTC)
    for metric in ("OrdersAccepted", "OrdersStored"):
        found = stack.client("cloudwatch").get_metric_statistics(
            Namespace="order-processing/dev",
            MetricName=metric,
            StartTime=now - timedelta(hours=4),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        assert sum(each["Sum"] for each in found["Datapoints"]) >= 1, metric
