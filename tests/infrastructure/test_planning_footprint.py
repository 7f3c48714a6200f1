"""What `orders-plan cost` takes a deployment to consist of is what Terraform plans with its defaults."""

from deployment.terraform import Plan
from planning.bill import Choices
from planning.footprint import FOOTPRINT

ROUTE_METRICS = ("4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed")


def test_memory_is_that_of_the_planned_functions(plan: Plan) -> None:
    functions = plan.resources.of_type("aws_lambda_function").values()
    prefix = "order-processing-dev-"
    assert {
        function["function_name"].removeprefix(prefix): function["memory_size"] for function in functions
    } == FOOTPRINT.memory_mb


def test_alarms_and_dashboards_are_as_many_as_planned(plan: Plan) -> None:
    assert len(plan.resources.of_type("aws_cloudwatch_metric_alarm")) == FOOTPRINT.alarms
    assert len(plan.resources.of_type("aws_cloudwatch_dashboard")) == FOOTPRINT.dashboards


def test_metrics_of_orders_are_those_that_get_a_value_without_any_refusal(plan: Plan) -> None:
    transformations = [
        filter_["metric_transformation"][0]
        for filter_ in plan.resources.of_type("aws_cloudwatch_log_metric_filter").values()
    ]
    always = {each["name"] for each in transformations if each["default_value"] is not None and not each["dimensions"]}
    assert len(always) == FOOTPRINT.order_metrics


def test_metrics_of_routes_are_paid_for_because_they_are_on(plan: Plan) -> None:
    [stage] = plan.resources.of_type("aws_apigatewayv2_stage").values()
    routes = plan.resources.of_type("aws_apigatewayv2_route")
    assert stage["default_route_settings"][0]["detailed_metrics_enabled"]
    assert len(routes) * len(ROUTE_METRICS) == FOOTPRINT.route_metrics


def test_the_choices_that_a_bill_is_made_for_are_the_defaults(plan: Plan) -> None:
    resources = plan.resources
    choices = Choices()
    [api] = resources.of_type("aws_apigatewayv2_api").values()
    [table] = resources.of_type("aws_dynamodb_table").values()
    assert (api["protocol_type"] == "HTTP") == (not choices.is_rest_api)
    assert bool(table["global_secondary_index"]) == choices.has_customer_index
    functions = resources.of_type("aws_lambda_function").values()
    assert {function["tracing_config"][0]["mode"] == "Active" for function in functions} == {choices.is_traced}
    assert {bool(function["snap_start"]) for function in functions} == {choices.is_snapstart}
    groups = resources.of_type("aws_cloudwatch_log_group").values()
    assert {group["retention_in_days"] for group in groups} == {choices.log_retention_days}
    assert bool(resources.of_type("aws_sns_topic_subscription")) == choices.completion_is_mailed
