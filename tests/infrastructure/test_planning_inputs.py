"""`orders-plan` assumes the deployment that Terraform plans with its defaults."""

import re
from dataclasses import fields

import pytest

from planning.cost import ACCESS_LOG_LINE, FOOTPRINT, Choices
from planning.settings import Settings
from support.deployment.terraform import Plan
from support.repository.files import REPOSITORY
from support.repository.terraform import block, read_terraform, value

ROUTE_METRICS = ("4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed")
BACKEND_VARIABLES = [each.name for each in fields(Settings) if each.metadata["source"].endswith("variables.tf")]


@pytest.mark.parametrize("name", BACKEND_VARIABLES)
def test_planning_default_equals_that_of_the_variable(name: str) -> None:
    default = value(block(read_terraform("terraform-backend", "variables.tf"), f'variable "{name}"'), "default")
    assert getattr(Settings(), name) == (None if default == "null" else float(default))


def test_planning_constants_equal_those_of_the_plan(plan: Plan) -> None:
    settings = Settings()
    queues = {queue["name"]: queue for queue in plan.resources.of_type("aws_sqs_queue").values()}
    orders = queues["order-processing-dev-orders"]
    mappings = plan.resources.of_type("aws_lambda_event_source_mapping").values()
    [queue_mapping] = [mapping for mapping in mappings if mapping["scaling_config"]]
    [stream_mapping] = [mapping for mapping in mappings if not mapping["scaling_config"]]
    assert orders["visibility_timeout_seconds"] == settings.visibility_timeout_seconds
    assert f"  maximum_receives = {settings.maximum_receives}\n" in read_terraform("terraform-backend", "main.tf")
    assert queue_mapping["batch_size"] == settings.processing_batch_size
    assert not queue_mapping["maximum_batching_window_in_seconds"]
    assert stream_mapping["batch_size"] == settings.notification_batch_size
    assert stream_mapping["maximum_record_age_in_seconds"] == settings.notification_maximum_age_seconds


def test_cost_footprint_equals_that_of_the_plan(plan: Plan) -> None:
    resources, prefix = plan.resources, "order-processing-dev-"
    functions = resources.of_type("aws_lambda_function").values()
    memory = {function["function_name"].removeprefix(prefix): function["memory_size"] for function in functions}
    filters = resources.of_type("aws_cloudwatch_log_metric_filter").values()
    transformations = [each["metric_transformation"][0] for each in filters]
    always = {each["name"] for each in transformations if each["default_value"] is not None and not each["dimensions"]}
    [stage] = resources.of_type("aws_apigatewayv2_stage").values()
    routes = resources.of_type("aws_apigatewayv2_route")
    assert memory == FOOTPRINT.memory_mb
    alarms = resources.of_type("aws_cloudwatch_metric_alarm").values()
    queries = [[query for query in alarm["metric_query"] if query["metric"]] for alarm in alarms]
    assert sum(len(each) or 1 for each in queries) == FOOTPRINT.alarms
    assert len(resources.of_type("aws_cloudwatch_dashboard")) == FOOTPRINT.dashboards
    assert len(always) == FOOTPRINT.order_metrics
    assert stage["default_route_settings"][0]["detailed_metrics_enabled"]
    assert len(routes) * len(ROUTE_METRICS) == FOOTPRINT.route_metrics


def test_cost_choices_equal_the_defaults(plan: Plan) -> None:
    resources, choices = plan.resources, Choices()
    functions = resources.of_type("aws_lambda_function").values()
    groups = resources.of_type("aws_cloudwatch_log_group").values()
    assert {function["tracing_config"][0]["mode"] == "Active" for function in functions} == {choices.is_traced}
    assert {bool(function["snap_start"]) for function in functions} == {choices.has_snapstart}
    assert {group["retention_in_days"] for group in groups} == {choices.log_retention_days}
    assert ("aws_sns_topic_subscription.order_completed_email[0]" in resources) == choices.orders_are_mailed


def test_access_log_line_has_the_fields_of_its_format() -> None:
    access = block(read_terraform("terraform-backend", "main.tf"), "access_log_settings")
    assert list(ACCESS_LOG_LINE) == re.findall(r"^ +(\w+) += \"\$context", access, re.MULTILINE)


def test_page_has_the_size_of_its_files() -> None:
    files = [path for path in (REPOSITORY / "frontend").rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}]
    assert round(sum(path.stat().st_size for path in files), -4) == FOOTPRINT.page_bytes
