"""The backend, applied once: what it can do, that a second plan finds nothing to do, and that destroy leaves nothing.

The tests share one deployment and come in the order of its life; the last one ends it.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.deployment.emulator import Emulator
from support.deployment.terraform import Plan, Resources, TerraformRoot

PREFIX = "order-processing-dev"
FUNCTIONS = ("submission", "processing", "status", "notification")

DASHBOARD = "module.monitoring.aws_cloudwatch_dashboard.this"

# What the emulator forgets of an alarm when it is read back by the provider's protocol; AWS does not.
FORGOTTEN_OF_ALARMS = {
    "actions_enabled",
    "alarm_actions",
    "alarm_description",
    "dimensions",
    "extended_statistic",
    "metric_query",
    "ok_actions",
    "period",
    "statistic",
    "treat_missing_data",
}


@pytest.fixture(scope="module")
def deployment(backend: TerraformRoot, variables: dict[str, Any]) -> Iterator[TerraformRoot]:
    try:
        backend.apply(variables)
        yield backend
    finally:
        if backend.applied():
            backend.destroy(variables)


@pytest.fixture(scope="module")
def resources(deployment: TerraformRoot) -> Resources:
    return deployment.applied()


@pytest.fixture(scope="module")
def second_plan(deployment: TerraformRoot, variables: dict[str, Any]) -> Plan:
    return deployment.plan(variables)


def test_the_outputs_are_those_that_others_build_on(deployment: TerraformRoot) -> None:
    outputs = deployment.outputs()
    assert set(outputs) == {
        "api_endpoint",
        "orders_table_name",
        "orders_queue_url",
        "orders_dlq_url",
        "notifications_dlq_url",
        "alerts_topic_arn",
        "order_completed_topic_arn",
        "dashboard_name",
    }
    assert not outputs["api_endpoint"].endswith("/"), "paths are appended with a slash"


def test_every_alarm_notifies_and_says_where_to_look_first(resources: Resources, second_plan: Plan) -> None:
    topic = resources["aws_sns_topic.alerts"]["arn"]
    # From the plan, for the emulator forgets some of it, but with the topic's ARN, which it has now.
    alarms = second_plan.resources.of_type("aws_cloudwatch_metric_alarm")
    for address, alarm in alarms.items():
        assert alarm["actions_enabled"], address
        assert alarm["alarm_actions"] == [topic], address
        assert PREFIX in alarm["alarm_description"], f"{address} names a log, a queue or a function"
        assert " Look first " in alarm["alarm_description"], f"{address} says what to do"
    silent_when_ok = {
        alarm["alarm_name"].removeprefix(f"{PREFIX}-") for alarm in alarms.values() if not alarm["ok_actions"]
    }
    assert silent_when_ok == {"alerts-undelivered", "dead-letter-even-minute", "dead-letter-odd-minute"}


def test_the_dashboard_shows_an_orders_path_from_left_to_right(resources: Resources) -> None:
    dashboard = resources[DASHBOARD]
    assert dashboard["dashboard_name"] == PREFIX
    widgets = json.loads(dashboard["dashboard_body"])["widgets"]
    first_row = sorted((w for w in widgets if w["type"] == "metric" and w["y"] == 3), key=lambda w: w["x"])
    stations = [widget["properties"]["title"].partition(":")[0] for widget in first_row]
    assert stations == ["API", "Submission", "Orders queue", "Processing", "Notification", "Dead letters"]
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets), "CloudWatch's grid has 24 columns"
    cells = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells)), "no graph lies over another"


def test_the_dashboard_draws_the_line_at_which_each_waiting_order_raises_its_alarm(
    resources: Resources, second_plan: Plan
) -> None:
    widgets = json.loads(resources[DASHBOARD]["dashboard_body"])["widgets"]
    lines = [
        (line["label"], line["value"], widget["properties"]["metrics"][0][:2])
        for widget in widgets
        for line in widget["properties"].get("annotations", {}).get("horizontal", [])
    ]
    alarms = second_plan.resources.of_type("aws_cloudwatch_metric_alarm").values()
    by_name = {alarm["alarm_name"].removeprefix(f"{PREFIX}-"): alarm for alarm in alarms}
    assert [label for label, *_ in lines] == ["api-slow", "orders-waiting"]
    for label, value, metric in lines:
        alarm = by_name[label]
        assert (alarm["threshold"], [alarm["namespace"], alarm["metric_name"]]) == (value, metric), label


def test_the_dashboard_shows_every_alarm(resources: Resources) -> None:
    widgets = json.loads(resources[DASHBOARD]["dashboard_body"])["widgets"]
    [shown] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    alarms = {alarm["arn"] for alarm in resources.of_type("aws_cloudwatch_metric_alarm").values()}
    assert set(shown) == alarms


def test_every_metric_on_the_dashboard_is_of_something_that_exists(resources: Resources) -> None:
    widgets = json.loads(resources[DASHBOARD]["dashboard_body"])["widgets"]
    exists = {
        "QueueName": {queue["name"] for queue in resources.of_type("aws_sqs_queue").values()},
        "FunctionName": {f["function_name"] for f in resources.of_type("aws_lambda_function").values()},
        "ApiId": {resources["aws_apigatewayv2_api.orders"]["id"]},
    }
    counted = {
        (filter_["metric_transformation"][0]["namespace"], filter_["metric_transformation"][0]["name"])
        for filter_ in resources.of_type("aws_cloudwatch_log_metric_filter").values()
    }
    shown = [metric for w in widgets if w["type"] == "metric" for metric in w["properties"]["metrics"]]
    assert shown, "there are graphs"
    for namespace, name, *more in (metric for metric in shown if isinstance(metric[0], str)):
        dimension = [each for each in more if isinstance(each, str)]
        if dimension:
            assert dimension[1] in exists[dimension[0]], f"{namespace} {name} {dimension}"
        else:
            assert (namespace, name) in counted, f"{namespace} {name} is a metric filter's"
    # And of what is shown by an expression, which names a metric by its id, or searches for it.
    ids = {options["id"] for metric in shown if isinstance(options := metric[-1], dict)}
    for expression in (metric[0]["expression"] for metric in shown if isinstance(metric[0], dict)):
        if search := re.match(r"""SEARCH\('\{"(.+)",Code\} MetricName="(\w+)"', 'Sum', 60\)$""", expression):
            assert (search[1], search[2]) in counted, expression
        else:
            assert (running := re.fullmatch(r"RUNNING_SUM\(FILL\((\w+), 0\)\)", expression)), expression
            assert running[1] in ids, expression


def test_the_dashboard_shows_every_metric_that_is_counted(resources: Resources) -> None:
    body = resources[DASHBOARD]["dashboard_body"]
    for filter_ in resources.of_type("aws_cloudwatch_log_metric_filter").values():
        assert filter_["metric_transformation"][0]["name"] in body, filter_["name"]


def test_a_second_plan_finds_nothing_to_do(second_plan: Plan) -> None:
    drifted = [c.address for c in second_plan.changes if c.type != "aws_cloudwatch_metric_alarm"]
    assert drifted == [], "what was applied is what is planned"
    for change in second_plan.changes:
        assert change.actions == ("update",), change.address
        assert change.attributes <= FORGOTTEN_OF_ALARMS, f"the emulator's known gaps: {change.address}"


def test_new_code_is_published_and_served_by_every_alias(
    deployment: TerraformRoot, variables: dict[str, Any], tmp_path: Path
) -> None:
    new_zip = tmp_path / "orders.zip"
    with zipfile.ZipFile(new_zip, "w") as package:
        package.writestr("orders/__init__.py", "# another day")
    plan = deployment.plan({**variables, "lambda_zip_path": str(new_zip)}, refresh=False)
    changes = {change.address: change for change in plan.changes}
    for function in FUNCTIONS:
        published = changes[f"module.{function}.aws_lambda_function.this"]
        assert "source_code_hash" in published.attributes, f"{function} gets the new code"
        assert "version" in published.unknown, f"{function} gets a new version"
        alias = changes[f"module.{function}.aws_lambda_alias.live"]
        assert "function_version" in alias.unknown, f"{function} is served in its new version"


def test_destroy_needs_no_package_and_leaves_nothing(
    deployment: TerraformRoot, variables: dict[str, Any], emulator: Emulator
) -> None:
    deployment.destroy({**variables, "lambda_zip_path": "/nowhere/orders.zip"})
    left = {
        "queues": emulator.client("sqs").list_queues().get("QueueUrls", []),
        "tables": emulator.client("dynamodb").list_tables()["TableNames"],
        "topics": emulator.client("sns").list_topics()["Topics"],
        "functions": emulator.client("lambda").list_functions()["Functions"],
        "mappings": emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "roles": emulator.client("iam").list_roles(PathPrefix="/")["Roles"],
        "logs": emulator.client("logs").describe_log_groups()["logGroups"],
        "alarms": emulator.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": emulator.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "APIs": emulator.client("apigatewayv2").get_apis()["Items"],
    }
    assert {kind: found for kind, found in left.items() if found} == {}
