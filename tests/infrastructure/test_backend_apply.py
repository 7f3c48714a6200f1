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
from botocore.exceptions import ClientError

from deployment.emulator import Emulator
from deployment.terraform import Plan, Resources, TerraformRoot

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


def _statements(resources: Resources, function: str) -> dict[str, tuple[set[str], set[str]]]:
    """Return the actions and resources that a function's role allows, by Sid."""
    policy = json.loads(resources[f"module.{function}.aws_iam_role_policy.this"]["policy"])
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
    return {
        statement["Sid"]: (_as_set(statement["Action"]), _as_set(statement["Resource"]))
        for statement in policy["Statement"]
    }


def _as_set(value: str | list[str]) -> set[str]:
    return {value} if isinstance(value, str) else set(value)


def test_each_role_allows_exactly_what_its_function_does(resources: Resources) -> None:
    orders_arn = resources["aws_sqs_queue.orders"]["arn"]
    table = resources["aws_dynamodb_table.orders"]
    own = {
        "submission": {"QueueOrders": ({"sqs:SendMessage"}, {orders_arn})},
        "processing": {
            "ReceiveOrders": (
                {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
                {orders_arn},
            ),
            "StoreOrders": ({"dynamodb:PartiQLInsert", "dynamodb:BatchGetItem"}, {table["arn"]}),
        },
        "status": {"ReadOrders": ({"dynamodb:GetItem"}, {table["arn"]})},
        "notification": {
            "ReadStoredOrders": (
                {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
                {table["stream_arn"]},
            ),
            "ListStreamsOfOrders": ({"dynamodb:ListStreams"}, {f"{table['arn']}/stream/*"}),
            "AnnounceCompletedOrders": (
                {"sns:Publish"},
                {resources["aws_sns_topic.order_completed"]["arn"]},
            ),
            "KeepFailedNotifications": (
                {"sqs:SendMessage"},
                {resources["aws_sqs_queue.notifications_dlq"]["arn"]},
            ),
        },
    }
    for function in FUNCTIONS:
        log = resources[f"module.{function}.aws_cloudwatch_log_group.this"]["arn"]
        common = {
            "WriteOwnLog": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {f"{log}:*"}),
            "SendTraces": ({"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, {"*"}),
        }
        assert _statements(resources, function) == own[function] | common, f"the role of {function}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_is_told_where_its_part_of_the_system_is(resources: Resources, function: str) -> None:
    expected = {
        "submission": {"ORDERS_QUEUE_URL": resources["aws_sqs_queue.orders"]["url"]},
        "processing": {"ORDERS_TABLE_NAME": f"{PREFIX}-orders"},
        "status": {"ORDERS_TABLE_NAME": f"{PREFIX}-orders"},
        "notification": {"ORDER_COMPLETED_TOPIC_ARN": resources["aws_sns_topic.order_completed"]["arn"]},
    }
    [environment] = resources[f"module.{function}.aws_lambda_function.this"]["environment"]
    assert environment["variables"] == expected[function], f"the environment of {function}"


def test_an_order_that_was_received_five_times_goes_to_the_dead_letter_queue(resources: Resources) -> None:
    assert json.loads(resources["aws_sqs_queue.orders"]["redrive_policy"]) == {
        "deadLetterTargetArn": resources["aws_sqs_queue.orders_dlq"]["arn"],
        "maxReceiveCount": 5,
    }


def test_every_caller_goes_through_the_alias(resources: Resources) -> None:
    alias = {function: resources[f"module.{function}.aws_lambda_alias.live"] for function in FUNCTIONS}
    for function in ("submission", "status"):
        integration = resources[f"aws_apigatewayv2_integration.{function}"]
        assert integration["integration_uri"] == alias[function]["invoke_arn"], function
        assert resources[f"aws_lambda_permission.{function}"]["qualifier"] == "live", function
    for mapping, function in (("orders", "processing"), ("stored_orders", "notification")):
        found = resources[f"aws_lambda_event_source_mapping.{mapping}"]["function_name"]
        assert found == alias[function]["arn"], mapping


def test_each_route_leads_to_its_function(resources: Resources) -> None:
    for function in ("submission", "status"):
        integration = resources[f"aws_apigatewayv2_integration.{function}"]["id"]
        assert resources[f"aws_apigatewayv2_route.{function}"]["target"] == f"integrations/{integration}"


def test_only_this_apis_own_routes_may_invoke_the_functions(resources: Resources) -> None:
    api = resources["aws_apigatewayv2_api.orders"]["execution_arn"]
    permissions = {
        address.rpartition(".")[2]: (permission["principal"], permission["source_arn"])
        for address, permission in resources.of_type("aws_lambda_permission").items()
    }
    assert permissions == {
        "submission": ("apigateway.amazonaws.com", f"{api}/*/POST/orders"),
        "status": ("apigateway.amazonaws.com", f"{api}/*/GET/orders/*"),
    }


def test_failed_announcements_go_to_their_own_queue(resources: Resources) -> None:
    [destination] = resources["aws_lambda_event_source_mapping.stored_orders"]["destination_config"]
    [on_failure] = destination["on_failure"]
    assert on_failure["destination_arn"] == resources["aws_sqs_queue.notifications_dlq"]["arn"]


def test_the_access_log_is_json_with_the_request_id_of_all_other_logs(resources: Resources) -> None:
    [settings] = resources["aws_apigatewayv2_stage.default"]["access_log_settings"]
    assert settings["destination_arn"] == resources["aws_cloudwatch_log_group.access"]["arn"]
    line = json.loads(settings["format"])
    assert line["request_id"] == "$context.requestId"
    assert {"status", "route", "response_latency_ms", "function_error"} <= line.keys()


def test_only_this_accounts_alarms_may_publish_alerts_and_only_over_tls(resources: Resources) -> None:
    alerts = resources["aws_sns_topic.alerts"]
    policy = json.loads(resources["aws_sns_topic_policy.alerts"]["policy"])
    assert {statement.pop("Sid"): statement for statement in policy["Statement"]} == {
        "AcceptAlarmsOfThisAccount": {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": alerts["arn"],
            "Condition": {"StringEquals": {"aws:SourceAccount": alerts["owner"]}},
        },
        "DenyInsecureTransport": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": alerts["arn"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }


def test_completed_orders_are_published_only_over_tls(resources: Resources) -> None:
    [statement] = json.loads(resources["aws_sns_topic_policy.order_completed"]["policy"])["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "sns:Publish")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


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


@pytest.mark.parametrize("queue", ["orders", "orders-dlq", "notifications-dlq"])
def test_a_message_over_plain_http_is_refused(deployment: TerraformRoot, emulator: Emulator, queue: str) -> None:
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}-{queue}")["QueueUrl"]
    sqs.get_queue_attributes(QueueUrl=url)

    # The emulator believes this header, as it would from a proxy in front of it.
    sqs.meta.events.register(
        "before-sign.sqs.SendMessage",
        lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "http"),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=url, MessageBody="{}")


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
