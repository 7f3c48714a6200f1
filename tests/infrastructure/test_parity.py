"""Terraform and CloudFormation deploy the same system.

Both are deployed with every option, and their descriptions from the AWS APIs are compared. Settings that the emulator
ignores in CloudFormation are compared with the template instead.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infrastructure.conftest import CHOSEN, DeployedTwice
from support.repository.cloudformation import Template, parameters_of

# Reasons of accepted differences, by a pattern of the path.
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


@dataclass(frozen=True)
class Ignored:
    """A setting that the emulator ignores in CloudFormation."""

    path: str
    """Its path in the description of the Terraform deployment."""
    resource: str
    property: str
    terraform: Any
    template: Any


CORS = {
    "AllowHeaders": ["authorization", "content-type", "idempotency-key"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": CHOSEN["cors_allowed_origins"],
    "ExposeHeaders": ["location", "retry-after"],
    "MaxAge": 3600,
}
PLAIN = {"DetailedMetricsEnabled": False}
IGNORED = [
    Ignored(
        "api orders/CorsConfiguration",
        "OrdersApi",
        "CorsConfiguration",
        {**CORS, "AllowCredentials": False},
        {**CORS, "AllowHeaders": ["content-type", "idempotency-key", "authorization"]},
    ),
    Ignored(
        "stage $default/DefaultRouteSettings",
        "DefaultStage",
        "DefaultRouteSettings",
        {**PLAIN, "ThrottlingBurstLimit": 30, "ThrottlingRateLimit": 20.0},
        {"ThrottlingBurstLimit": "30", "ThrottlingRateLimit": "20"},
    ),
    Ignored(
        "stage $default/RouteSettings",
        "DefaultStage",
        "RouteSettings",
        {
            "GET /orders/{order_id}": {**PLAIN, "ThrottlingBurstLimit": 15, "ThrottlingRateLimit": 20.0},
            "POST /orders": {**PLAIN, "ThrottlingBurstLimit": 30, "ThrottlingRateLimit": 10.0},
        },
        {
            "GET /orders/{order_id}": {"ThrottlingBurstLimit": "15", "ThrottlingRateLimit": "20"},
            "POST /orders": {"ThrottlingBurstLimit": "30", "ThrottlingRateLimit": "10"},
        },
    ),
    Ignored(
        "table orders/PointInTimeRecoveryStatus",
        "OrdersTable",
        "PointInTimeRecoverySpecification",
        "ENABLED",
        {"PointInTimeRecoveryEnabled": True},
    ),
    *(
        Ignored(
            f"mapping {function}/Tags",
            resource,
            "Tags",
            {"Environment": "<environment>", "Project": "order-processing"},
            [{"Key": "Project", "Value": "order-processing"}, {"Key": "Environment", "Value": "staging"}],
        )
        for function, resource in (("processing", "OrdersMapping"), ("notification", "StoredOrdersMapping"))
    ),
]

# None: Terraform creates it within another resource.
KINDS = {
    "AWS::ApiGatewayV2::Api": "aws_apigatewayv2_api",
    "AWS::ApiGatewayV2::ApiMapping": "aws_apigatewayv2_api_mapping",
    "AWS::ApiGatewayV2::Authorizer": "aws_apigatewayv2_authorizer",
    "AWS::ApiGatewayV2::DomainName": "aws_apigatewayv2_domain_name",
    "AWS::ApiGatewayV2::Integration": "aws_apigatewayv2_integration",
    "AWS::ApiGatewayV2::Route": "aws_apigatewayv2_route",
    "AWS::ApiGatewayV2::Stage": "aws_apigatewayv2_stage",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Dashboard": "aws_cloudwatch_dashboard",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Lambda::Alias": "aws_lambda_alias",
    "AWS::Lambda::EventSourceMapping": "aws_lambda_event_source_mapping",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Lambda::Version": None,  # aws_lambda_function publishes
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::Logs::MetricFilter": "aws_cloudwatch_log_metric_filter",
    "AWS::Route53::RecordSet": "aws_route53_record",
    "AWS::SNS::Subscription": "aws_sns_topic_subscription",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SNS::TopicPolicy": "aws_sns_topic_policy",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SQS::QueuePolicy": None,  # in aws_sqs_queue
}
WITHIN_ANOTHER = {"aws_iam_role_policy"}  # in AWS::IAM::Role

# For each name in a description, the resource type of which all resources must be described.
DESCRIBED_AS = {
    "alarm": "AWS::CloudWatch::Alarm",
    "alias": "AWS::Lambda::Alias",
    "api": "AWS::ApiGatewayV2::Api",
    "authorizer": "AWS::ApiGatewayV2::Authorizer",
    "dashboard": "AWS::CloudWatch::Dashboard",
    "domain": "AWS::ApiGatewayV2::DomainName",
    "function": "AWS::Lambda::Function",
    "integration": "AWS::ApiGatewayV2::Integration",
    "log": "AWS::Logs::LogGroup",
    "mapping": "AWS::Lambda::EventSourceMapping",
    "metric": "AWS::Logs::MetricFilter",
    "queue": "AWS::SQS::Queue",
    "record": "AWS::Route53::RecordSet",
    "role": "AWS::IAM::Role",
    "route": "AWS::ApiGatewayV2::Route",
    "stage": "AWS::ApiGatewayV2::Stage",
    "subscription": "AWS::SNS::Subscription",
    "table": "AWS::DynamoDB::Table",
    "topic": "AWS::SNS::Topic",
}


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
    in_template = Counter(resource["Type"] for resource in template.values())
    in_terraform = Counter(address.split("[")[0].split(".")[-2] for address in deployed_twice.resources)
    compared = {kind: number for kind, number in in_terraform.items() if kind not in WITHIN_ANOTHER}
    assert in_template.keys() == KINDS.keys(), "add the new kind here and to deployed_system.py"
    assert {terraform: in_template[kind] for kind, terraform in KINDS.items() if terraform} == compared
    described = Counter(name.split()[0] for name in deployed_twice.terraform)
    for name, kind in DESCRIBED_AS.items():
        assert described[name] == in_template[kind], name


def test_api_endpoint_is_the_domain_in_both_deployments(deployed_twice: DeployedTwice) -> None:
    assert deployed_twice.endpoints == ("https://api.dev.example.com", "https://api.staging.example.com")


def test_api_domains_accept_only_the_customers_own_orders(deployed_twice: DeployedTwice) -> None:
    assert deployed_twice.orders == [(202, 403, "CUSTOMER_MISMATCH")] * 2


def test_both_deployments_have_the_same_settings(deployed_twice: DeployedTwice) -> None:
    ignored = {each.path for each in IGNORED}
    unexplained = [
        f"{path}: CloudFormation {one}, Terraform {other}"
        for path, one, other in differences(deployed_twice.cloudformation, deployed_twice.terraform)
        if not any(path == each or path.startswith(f"{each}/") for each in ignored)
        and not any(re.fullmatch(pattern, path) for pattern in ACCEPTED)
    ]
    assert not unexplained, "\n".join(unexplained)


def test_every_accepted_difference_exists(deployed_twice: DeployedTwice) -> None:
    found = [path for path, *_ in differences(deployed_twice.cloudformation, deployed_twice.terraform)]
    unused = [p for p in ACCEPTED if not any(re.fullmatch(p, path) for path in found)]
    unused += [each.path for each in IGNORED if not any(path.startswith(each.path) for path in found)]
    assert unused == []


@pytest.mark.parametrize("setting", IGNORED, ids=lambda setting: setting.path)
def test_template_has_the_settings_that_the_emulator_ignores(
    deployed_twice: DeployedTwice, template: dict[str, dict[str, Any]], setting: Ignored
) -> None:
    resource, name = setting.path.split("/")
    assert deployed_twice.terraform[resource][name] == setting.terraform
    assert template[setting.resource]["Properties"][setting.property] == setting.template


def test_difference_is_detected() -> None:
    one = {"queue": {"VisibilityTimeout": "180", "Tags": {}}, "alarm": {}}
    other = {"queue": {"VisibilityTimeout": "179", "Tags": {}}}
    assert {path for path, *_ in differences(one, other)} == {"alarm", "queue/VisibilityTimeout"}
