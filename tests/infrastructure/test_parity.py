"""Terraform and CloudFormation deploy the same system.

Both are deployed with every option, and their descriptions from the AWS APIs are compared. Settings that the emulator
ignores in CloudFormation are compared with the template instead.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.conftest import CHOSEN, DeployedTwice
from support.repository.cloudformation import Template, parameters_of

# Accepted differences: a pattern of the path, and the reason.
ACCEPTED = {
    r"alarm orders-waiting/AlarmDescription": "ProcessingMaximumConcurrency is processing_maximum_concurrency",
    r"function .*/Versions/1/FunctionArn": "the emulator includes the version only with CloudFormation",
    r"mapping processing/StartingPosition": "the emulator returns the default, which has no meaning for a queue",
    r"subscription .*/(ConfirmationWasAuthenticated|FilterPolicyScope|PendingConfirmation)": (
        "the emulator has other defaults for CloudFormation"
    ),
    r"table orders/ProvisionedThroughput/.*": "the emulator returns a default, which has no meaning for an on-demand table",
    r"table orders/GlobalSecondaryIndexes/by_customer/(IndexArn|IndexStatus|ProvisionedThroughput)": (
        "the emulator returns these for Terraform only"
    ),
    r"topic .*/(Application|Firehose|HTTP|Lambda|SQS)SuccessFeedbackSampleRate": "the provider sets the default",
    # The emulator ignores these in CloudFormation. test_cloudformation_template.py checks them.
    r"function .*/KMSKeyArn": "customer's key",
    r"topic .*/KmsMasterKeyId": "customer's key",
    r"table orders/SSEDescription": "customer's key",
    r"role .*/PermissionsBoundary": "boundary",
    r"function .*/ReservedConcurrency": "reservation",
}


# Settings that the emulator ignores in CloudFormation: path in a description, resource and property.
IGNORED = {
    "api orders/CorsConfiguration": ("OrdersApi", "CorsConfiguration"),
    "stage $default/DefaultRouteSettings": ("DefaultStage", "DefaultRouteSettings"),
    "stage $default/RouteSettings": ("DefaultStage", "RouteSettings"),
    "table orders/PointInTimeRecovery": ("OrdersTable", "PointInTimeRecoverySpecification"),
    "mapping processing/Tags": ("OrdersMapping", "Tags"),
    "mapping notification/Tags": ("StoredOrdersMapping", "Tags"),
}

# By type in the template: the type in Terraform, or None if nested, and the name in a description, or None if not described.
TYPES: dict[str, tuple[str | None, str | None]] = {
    "ApiGatewayV2::Api": ("aws_apigatewayv2_api", "api"),
    "ApiGatewayV2::ApiMapping": ("aws_apigatewayv2_api_mapping", None),
    "ApiGatewayV2::Authorizer": ("aws_apigatewayv2_authorizer", "authorizer"),
    "ApiGatewayV2::DomainName": ("aws_apigatewayv2_domain_name", "domain"),
    "ApiGatewayV2::Integration": ("aws_apigatewayv2_integration", "integration"),
    "ApiGatewayV2::Route": ("aws_apigatewayv2_route", "route"),
    "ApiGatewayV2::Stage": ("aws_apigatewayv2_stage", "stage"),
    "CloudWatch::Alarm": ("aws_cloudwatch_metric_alarm", "alarm"),
    "CloudWatch::Dashboard": ("aws_cloudwatch_dashboard", "dashboard"),
    "DynamoDB::Table": ("aws_dynamodb_table", "table"),
    "IAM::Role": ("aws_iam_role", "role"),
    "Lambda::Alias": ("aws_lambda_alias", "alias"),
    "Lambda::EventSourceMapping": ("aws_lambda_event_source_mapping", "mapping"),
    "Lambda::Function": ("aws_lambda_function", "function"),
    "Lambda::Permission": ("aws_lambda_permission", None),
    "Lambda::Version": (None, None),  # aws_lambda_function publishes
    "Logs::LogGroup": ("aws_cloudwatch_log_group", "log"),
    "Logs::MetricFilter": ("aws_cloudwatch_log_metric_filter", "metric"),
    "Route53::RecordSet": ("aws_route53_record", "record"),
    "SNS::Subscription": ("aws_sns_topic_subscription", "subscription"),
    "SNS::Topic": ("aws_sns_topic", "topic"),
    "SNS::TopicPolicy": ("aws_sns_topic_policy", None),
    "SQS::Queue": ("aws_sqs_queue", "queue"),
    "SQS::QueuePolicy": (None, None),  # in aws_sqs_queue
}
NESTED_TYPES = {"aws_iam_role_policy"}  # in IAM::Role


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each path at which two descriptions differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from differences(one.get(name), other.get(name), f"{path}/{name}" if path else name)
    elif one != other:
        yield path, one, other


@pytest.fixture(scope="module")
def template() -> dict[str, dict[str, Any]]:
    return Template.read().resources(**parameters_of({**CHOSEN, "environment": "staging"}))


def test_both_deployments_have_the_same_resources(
    deployed_twice: DeployedTwice, template: dict[str, dict[str, Any]]
) -> None:
    assert deployed_twice.cloudformation.keys() == deployed_twice.terraform.keys()
    in_template = Counter(resource["Type"].removeprefix("AWS::") for resource in template.values())
    in_terraform = Counter(address.split("[")[0].split(".")[-2] for address in deployed_twice.resources)
    described = Counter(name.split()[0] for name in deployed_twice.terraform)
    assert in_template.keys() == TYPES.keys(), "add the new type here and to deployed_system.py"
    assert in_terraform.keys() - NESTED_TYPES == {terraform for terraform, _ in TYPES.values() if terraform}
    for kind, (terraform, name) in TYPES.items():
        assert in_template[kind] == (in_terraform[terraform] if terraform else in_template[kind]), kind
        assert in_template[kind] == (described[name] if name else in_template[kind]), kind


def test_both_deployments_have_the_same_outputs(deployed_twice: DeployedTwice) -> None:
    terraform = {name: value.replace("staging", "dev") for name, value in deployed_twice.outputs.items()}
    assert deployed_twice.stack_outputs == terraform
    assert terraform["api_endpoint"] == "https://api.dev.example.com", "clients append paths with a slash"
    names = "api_endpoint orders_table_name orders_queue_url orders_dlq_url notifications_dlq_url alerts_topic_arn"
    assert terraform.keys() == {*names.split(), "order_completed_topic_arn", "dashboard_name"}


def test_both_api_domains_accept_only_the_customers_own_orders(deployed_twice: DeployedTwice) -> None:
    assert deployed_twice.orders == [(202, 403, "CUSTOMER_MISMATCH")] * 2


def test_both_deployments_have_the_same_settings(deployed_twice: DeployedTwice) -> None:
    unexplained = [
        f"{path}: CloudFormation {one}, Terraform {other}"
        for path, one, other in differences(deployed_twice.cloudformation, deployed_twice.terraform)
        if not any(path == each or path.startswith(f"{each}/") for each in IGNORED)
        and not any(re.fullmatch(pattern, path) for pattern in ACCEPTED)
    ]
    assert not unexplained, "\n".join(unexplained)


def test_every_accepted_difference_exists(deployed_twice: DeployedTwice) -> None:
    found = [path for path, *_ in differences(deployed_twice.cloudformation, deployed_twice.terraform)]
    unused = [p for p in ACCEPTED if not any(re.fullmatch(p, path) for path in found)]
    unused += [each for each in IGNORED if not any(path.startswith(each) for path in found)]
    assert unused == []


def comparable(value: Any) -> Any:
    """Return a setting of the template in the form of a description: tags by key, sorted lists, and numbers."""
    match value:
        case [{"Key": _}, *_]:
            return {tag["Key"]: "<environment>" if tag["Key"] == "Environment" else tag["Value"] for tag in value}
        case {**settings}:
            return {name: comparable(each) for name, each in settings.items() if each is not False}
        case list():
            return sorted(value)
        case str() if value.isdigit():
            return float(value)
        case _:
            return value


@pytest.mark.parametrize("path", IGNORED)
def test_template_has_the_settings_that_the_emulator_ignores(
    deployed_twice: DeployedTwice, template: dict[str, dict[str, Any]], path: str
) -> None:
    (described, name), (resource, property_) = path.split("/"), IGNORED[path]
    settings = comparable(template[resource]["Properties"][property_])
    assert settings == comparable(deployed_twice.terraform[described][name])
