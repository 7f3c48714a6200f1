"""`orders-plan` assumes the deployment that Terraform plans with its defaults."""

import json
from dataclasses import fields

from infrastructure.variable_rules import defaults_of
from planning.cost import ACCESS_LOG_LINE, ALARM_METRICS, HOURLY_METRICS, MEMORY_MB, PAGE_BYTES, Scenario
from planning.settings import Settings
from support.deployment.terraform import Plan
from support.repository.cloudformation import Template
from support.repository.files import REPOSITORY

# Metrics of failures and duplicates, which have no datapoints in most hours.
RARE_METRICS = {
    *("OrdersDuplicate", "OrdersConflict", "OrdersFailed"),
    *(f"{function}Failed" for function in ("Submission", "Processing", "Status", "Notification")),
}


def test_planning_defaults_equal_those_of_the_variables() -> None:
    defaults = defaults_of("terraform-backend")
    compared = {each.name for each in fields(Settings)} & defaults.keys()
    assert "processing_batch_window_seconds" in compared
    for name in compared:
        assert getattr(Settings(), name) == json.loads(defaults[name] or ""), name


def test_planning_constants_equal_those_of_the_plan(plan: Plan) -> None:
    settings = Settings()
    queues = {queue["name"]: queue for queue in plan.resources.of_type("aws_sqs_queue").values()}
    orders = queues["order-processing-dev-orders"]
    mappings = plan.resources.of_type("aws_lambda_event_source_mapping").values()
    [queue_mapping] = [mapping for mapping in mappings if mapping["scaling_config"]]
    [stream_mapping] = [mapping for mapping in mappings if not mapping["scaling_config"]]
    assert orders["visibility_timeout_seconds"] == settings.visibility_timeout_seconds
    # The plan's redrive policy is unknown; test_parity.py compares it with the template's.
    template = Template.read().resources(NotificationEmail="operations@example.com")
    assert template["OrdersQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == settings.maximum_receives
    assert queue_mapping["batch_size"] == settings.processing_batch_size
    assert stream_mapping["batch_size"] == settings.notification_batch_size
    assert stream_mapping["maximum_batching_window_in_seconds"] == settings.notification_batch_window_seconds
    assert stream_mapping["maximum_record_age_in_seconds"] == settings.notification_maximum_age_seconds


def test_billed_resources_equal_those_of_the_plan(plan: Plan) -> None:
    resources, prefix = plan.resources, "order-processing-dev-"
    functions = resources.of_type("aws_lambda_function").values()
    memory = {function["function_name"].removeprefix(prefix): function["memory_size"] for function in functions}
    filters = resources.of_type("aws_cloudwatch_log_metric_filter").values()
    metrics = [each["metric_transformation"][0] for each in filters]
    [stage] = resources.of_type("aws_apigatewayv2_stage").values()
    assert memory == MEMORY_MB
    alarms = resources.of_type("aws_cloudwatch_metric_alarm").values()
    queries = [[query for query in alarm["metric_query"] if query["metric"]] for alarm in alarms]
    assert sum(len(each) or 1 for each in queries) == ALARM_METRICS
    assert len(resources.of_type("aws_cloudwatch_dashboard")) == 1
    assert {each["name"] for each in metrics} == RARE_METRICS | set(HOURLY_METRICS)
    # With a dimension, each of its values would be billed as one metric.
    assert not any(each["dimensions"] or (each["default_value"] and each["name"] in RARE_METRICS) for each in metrics)
    assert not stage["default_route_settings"][0]["detailed_metrics_enabled"]
    # At INFO, Lambda logs two more lines per invocation.
    assert {function["logging_config"][0]["system_log_level"] for function in functions} == {"WARN"}


def test_cost_options_equal_the_defaults(plan: Plan) -> None:
    resources, scenario = plan.resources, Scenario("default", 0)
    functions = resources.of_type("aws_lambda_function").values()
    groups = resources.of_type("aws_cloudwatch_log_group").values()
    assert {function["tracing_config"][0]["mode"] == "Active" for function in functions} == {scenario.is_traced}
    assert {bool(function["snap_start"]) for function in functions} == {scenario.has_snapstart}
    assert {group["retention_in_days"] for group in groups} == {scenario.log_retention_days}
    assert ("aws_sns_topic_subscription.order_completed_email[0]" in resources) == scenario.orders_are_mailed


def test_access_log_line_has_the_fields_of_its_format(plan: Plan) -> None:
    [access_log] = plan.resources["aws_apigatewayv2_stage.default"]["access_log_settings"]
    assert ACCESS_LOG_LINE.keys() == json.loads(access_log["format"]).keys()


def test_page_has_the_size_of_its_files() -> None:
    files = [path for path in (REPOSITORY / "frontend").rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}]
    assert round(sum(path.stat().st_size for path in files), -4) == PAGE_BYTES
