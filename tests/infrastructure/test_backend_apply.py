"""The applied backend: outputs, dashboard, alarms, a second plan, an update of the code, and destroy."""

import json
import re
from typing import Any

import pytest

from infrastructure.conftest import DeployedTwice

PREFIX = "order-processing-staging"
FUNCTIONS = ("submission", "processing", "status", "notification")

# Attributes that the emulator does not return, by type.
NOT_RETURNED = {
    "aws_cloudwatch_metric_alarm": {
        *("actions_enabled", "alarm_actions", "alarm_description", "dimensions", "extended_statistic"),
        *("metric_query", "ok_actions", "period", "statistic", "treat_missing_data"),
    },
    "aws_apigatewayv2_authorizer": {"authorizer_payload_format_version"},
}


@pytest.fixture(scope="module")
def dashboard(deployed_twice: DeployedTwice) -> list[dict[str, Any]]:
    """The dashboard's widgets."""
    body = deployed_twice.resources["module.monitoring.aws_cloudwatch_dashboard.this"]["dashboard_body"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


def test_dashboard_shows_all_alarms_counted_metrics_and_two_thresholds(
    deployed_twice: DeployedTwice, dashboard: list[dict[str, Any]]
) -> None:
    [shown] = [widget["properties"]["alarms"] for widget in dashboard if widget["type"] == "alarm"]
    resources = deployed_twice.resources
    assert set(shown) == {alarm["arn"] for alarm in resources.of_type("aws_cloudwatch_metric_alarm").values()}
    for name, each in resources.of_type("aws_cloudwatch_log_metric_filter").items():
        assert each["metric_transformation"][0]["name"] in json.dumps(dashboard), name
    lines = {
        line["label"]: (line["value"], widget["properties"]["metrics"][0][:2])
        for widget in dashboard
        for line in widget["properties"].get("annotations", {}).get("horizontal", [])
    }
    this = "module.monitoring.aws_cloudwatch_metric_alarm.this"
    drawn = {name: resources[f'{this}["{name}"]'] for name in ("api-slow", "orders-waiting")}
    assert lines == {name: (a["threshold"], [a["namespace"], a["metric_name"]]) for name, a in drawn.items()}


def test_dashboard_metrics_exist(deployed_twice: DeployedTwice, dashboard: list[dict[str, Any]]) -> None:
    resources = deployed_twice.resources
    exists = {
        "QueueName": {queue["name"] for queue in resources.of_type("aws_sqs_queue").values()},
        "FunctionName": {f["function_name"] for f in resources.of_type("aws_lambda_function").values()},
        "ApiId": {resources["aws_apigatewayv2_api.orders"]["id"]},
    }
    filters = resources.of_type("aws_cloudwatch_log_metric_filter").values()
    transformations = [each["metric_transformation"][0] for each in filters]
    counted = {(each["namespace"], each["name"]) for each in transformations}
    shown = [metric for w in dashboard if w["type"] == "metric" for metric in w["properties"]["metrics"]]
    assert 0 < len(shown) <= 50, "AWS's three free dashboards have at most 50 metrics each"
    ids = {options["id"] for metric in shown if isinstance(options := metric[-1], dict)}
    for metric in shown:
        if isinstance(metric[0], dict):
            expression = metric[0]["expression"]
            running = re.fullmatch(r"RUNNING_SUM\(FILL\((\w+), 0\)\)", expression)
            assert running, expression
            assert running[1] in ids, expression
        elif dimension := [each for each in metric[2:] if isinstance(each, str)]:
            assert dimension[1] in exists[dimension[0]], metric
        else:
            assert tuple(metric[:2]) in counted, metric


def test_second_plan_changes_only_the_code(deployed_twice: DeployedTwice) -> None:
    for change in deployed_twice.second_plan.changes:
        assert change.actions == ("update",), change.address
        if change.type not in ("aws_lambda_function", "aws_lambda_alias"):
            assert change.attributes <= NOT_RETURNED.get(change.type, set()), change


def test_alias_serves_new_code(deployed_twice: DeployedTwice) -> None:
    changes = {change.address: change for change in deployed_twice.second_plan.changes}
    for function in FUNCTIONS:
        published = changes[f"module.{function}.aws_lambda_function.this"]
        assert published.attributes - published.unknown == {"filename", "source_code_hash"}, function
        assert "version" in published.unknown, function
        alias = changes[f"module.{function}.aws_lambda_alias.live"]
        assert alias.attributes == alias.unknown == {"function_version"}, function


def test_destroy_deletes_everything_without_the_package(deployed_twice: DeployedTwice) -> None:
    # The other tests use only values that the fixture has already read.
    deployed_twice.root.destroy({**deployed_twice.variables, "lambda_zip_path": "/nowhere/orders.zip"})
    client = deployed_twice.emulator.client
    left = [
        *client("sqs").list_queues().get("QueueUrls", []),
        *client("dynamodb").list_tables()["TableNames"],
        *client("sns").list_topics()["Topics"],
        *client("lambda").list_functions()["Functions"],
        *client("lambda").list_event_source_mappings()["EventSourceMappings"],
        *client("iam").list_roles(PathPrefix="/")["Roles"],
        *client("logs").describe_log_groups()["logGroups"],
        *client("cloudwatch").describe_alarms()["MetricAlarms"],
        *client("cloudwatch").list_dashboards()["DashboardEntries"],
        *client("apigatewayv2").get_apis()["Items"],
    ]
    assert left, "the CloudFormation deployment must remain"
    assert [each for each in left if PREFIX in str(each)] == []
