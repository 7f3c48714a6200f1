"""Terraform and CloudFormation deploy the same system.

Both are deployed side by side, under the names of two environments, and what the AWS APIs say of them is compared. What
the emulator forgets of a CloudFormation deployment is compared with the template's own words instead.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infrastructure.conftest import DeployedTwice
from infrastructure.deployed_system import Description
from support.deployment.api import JSON_TYPE, DeployedApi
from support.repository.cloudformation import ACCOUNT, REGION, Template
from support.sample_orders import SAMPLE_BODY

# Every difference that may be, and why. A path is that of `differences` below; what stands for a name is in brackets.
EXPLAINED = {
    # In the texts of alarms, parameters have CloudFormation's names.
    r"alarm orders-waiting/AlarmDescription": "ProcessingMaximumConcurrency is processing_maximum_concurrency",
    # What only one of the two writes down although both have it.
    r"function .*/Versions/1/FunctionArn": "the emulator tells the version in the ARN of a version of CloudFormation's",
    r"mapping processing/StartingPosition": "the emulator writes the default, which means nothing for a queue",
    r"subscription .*/(ConfirmationWasAuthenticated|FilterPolicyScope|PendingConfirmation)": (
        "the emulator writes other defaults for CloudFormation's subscriptions"
    ),
    r"table orders/ProvisionedThroughput/.*": "the emulator writes a default, which means nothing for a table on demand",
    r"table orders/GlobalSecondaryIndexes/by_customer/(IndexArn|IndexStatus|ProvisionedThroughput)": (
        "the emulator works these out for Terraform's only"
    ),
    r"topic .*/(Application|Firehose|HTTP|Lambda|SQS)SuccessFeedbackSampleRate": "the provider writes the default",
}


@dataclass(frozen=True)
class Forgotten:
    """A setting that the emulator forgets of a CloudFormation deployment."""

    path: str
    """Where the Terraform deployment has it."""
    resource: str
    property: str
    """Where the template has it."""
    in_terraform: Any
    """What the APIs say of the Terraform deployment…"""
    in_template: Any
    """… and the same in the template's words."""


FORGOTTEN = [
    Forgotten(
        "api orders/CorsConfiguration",
        "OrdersApi",
        "CorsConfiguration",
        {
            "AllowCredentials": False,
            "AllowHeaders": ["authorization", "content-type", "idempotency-key"],
            "AllowMethods": ["GET", "POST"],
            "AllowOrigins": ["*"],
            "ExposeHeaders": ["location", "retry-after"],
            "MaxAge": 3600,
        },
        {
            "AllowHeaders": ["content-type", "idempotency-key", "authorization"],
            "AllowMethods": ["GET", "POST"],
            "AllowOrigins": ["*"],
            "ExposeHeaders": ["location", "retry-after"],
            "MaxAge": 3600,
        },
    ),
    Forgotten(
        "stage $default/DefaultRouteSettings",
        "DefaultStage",
        "DefaultRouteSettings",
        {"DetailedMetricsEnabled": True, "ThrottlingBurstLimit": 1000, "ThrottlingRateLimit": 500.0},
        {"DetailedMetricsEnabled": True, "ThrottlingBurstLimit": "1000", "ThrottlingRateLimit": "500"},
    ),
    Forgotten(
        "table orders/PointInTimeRecoveryStatus",
        "OrdersTable",
        "PointInTimeRecoverySpecification",
        "ENABLED",
        {"PointInTimeRecoveryEnabled": True},
    ),
    Forgotten(
        "table orders/SSEDescription",
        "OrdersTable",
        "SSESpecification",
        {
            "KMSMasterKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/dynamodb",
            "SSEType": "KMS",
            "Status": "ENABLED",
        },
        {"SSEEnabled": True, "SSEType": "KMS"},
    ),
    *(
        Forgotten(
            f"mapping {function}/Tags",
            resource,
            "Tags",
            {"Environment": "<environment>", "Project": "order-processing"},
            [{"Key": "Project", "Value": "order-processing"}, {"Key": "Environment", "Value": "staging"}],
        )
        for function, resource in (("processing", "OrdersMapping"), ("notification", "StoredOrdersMapping"))
    ),
]

# The resources of the two, kind by kind. None: what the other makes within another resource.
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


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each path at which two descriptions differ, with both values, None where there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from differences(one.get(name), other.get(name), f"{path}/{name}" if path else name)
    elif one != other:
        yield path, one, other


def test_both_have_the_same_resources(deployed_twice: DeployedTwice) -> None:
    assert deployed_twice.cloudformation.keys() == deployed_twice.terraform.keys()
    kinds = Counter(name.split()[0] for name in deployed_twice.terraform)
    assert kinds == {
        "alarm": 23,
        "alias": 4,
        "api": 1,
        "authorizer": 1,
        "dashboard": 1,
        "domain": 1,
        "function": 4,
        "integration": 2,
        "log": 5,
        "mapping": 2,
        "metric": 14,
        "queue": 3,
        "record": 2,
        "role": 4,
        "route": 2,
        "stage": 1,
        "subscription": 3,
        "table": 1,
        "topic": 2,
    }, "what this test compares: tell it of what is new"


def test_there_is_no_kind_of_resource_that_is_not_compared(deployed_twice: DeployedTwice) -> None:
    template = Template.read().resources(
        NotificationEmail="operations@example.com",
        NoOrdersAlarmMinutes="60",
        CompletedOrderEmail="sales@example.com",
        AlertsHttpsEndpoint="https://events.example.com/sns",
        JwtIssuer="https://login.example.com",
        JwtAudience="shop",
        ApiDomainName="api.example.com",
        ApiCertificateArn="arn:aws:acm:eu-west-1:123456789012:certificate/1234",
        ApiHostedZoneId="Z0123456789ABCDEFGHIJ",
    )
    in_template = Counter(resource["Type"] for resource in template.values())
    in_terraform = Counter(address.split("[")[0].split(".")[-2] for address in deployed_twice.plan.resources)
    told = {kind: in_terraform.pop(kind) for kind in list(in_terraform) if kind not in WITHIN_ANOTHER}
    assert in_terraform.keys() <= WITHIN_ANOTHER
    assert in_template.keys() == KINDS.keys(), "tell this test and deployed_system.py of the new kind"
    assert {terraform: in_template[kind] for kind, terraform in KINDS.items() if terraform} == told, (
        "as many of each kind, and no other kinds"
    )


def test_api_endpoint_is_the_domain_in_both(deployed_twice: DeployedTwice) -> None:
    assert deployed_twice.api_endpoints == ("https://api.dev.example.com", "https://api.staging.example.com")


def test_customers_order_only_for_themselves_in_both(deployed_twice: DeployedTwice) -> None:
    token = deployed_twice.sign_in.token(deployed_twice.application)
    headers = {**JSON_TYPE, "Authorization": f"Bearer {token}"}
    own = SAMPLE_BODY.replace(b"001", deployed_twice.sign_in.customer_id.encode())
    assert len(deployed_twice.default_endpoints) == 2
    for endpoint in deployed_twice.default_endpoints:
        api = DeployedApi(endpoint)  # The emulator serves no domains, and the default endpoint although it is disabled.
        assert api.post(own, headers).status == 202
        assert api.post(SAMPLE_BODY, headers).json()["code"] == "CUSTOMER_MISMATCH"


def test_both_have_the_same_settings(deployed_twice: DeployedTwice) -> None:
    forgotten = {each.path for each in FORGOTTEN}
    unexplained = [
        f"{path}: CloudFormation {one}, Terraform {other}"
        for path, one, other in differences(deployed_twice.cloudformation, deployed_twice.terraform)
        if not any(path == each or path.startswith(f"{each}/") for each in forgotten)
        and not any(re.fullmatch(pattern, path) for pattern in EXPLAINED)
    ]
    assert unexplained == []


def test_every_explanation_is_needed(deployed_twice: DeployedTwice) -> None:
    found = [path for path, *_ in differences(deployed_twice.cloudformation, deployed_twice.terraform)]
    idle = [p for p in EXPLAINED if not any(re.fullmatch(p, path) for path in found)]
    idle += [f.path for f in FORGOTTEN if not any(path.startswith(f.path) for path in found)]
    assert idle == []


@pytest.mark.parametrize("forgotten", FORGOTTEN, ids=lambda forgotten: forgotten.path)
def test_what_the_emulator_forgets_is_in_the_template(deployed_twice: DeployedTwice, forgotten: Forgotten) -> None:
    template = Template.read().resources(
        NotificationEmail="operations@example.com", Environment="staging", JwtIssuer="https://a", JwtAudience="a"
    )
    resource, setting = forgotten.path.split("/")
    assert deployed_twice.terraform[resource][setting] == forgotten.in_terraform
    assert template[forgotten.resource]["Properties"][forgotten.property] == forgotten.in_template


def test_a_difference_is_noticed(deployed_twice: DeployedTwice) -> None:
    other: Description = {**deployed_twice.terraform}
    other["queue orders"] = {**other["queue orders"], "VisibilityTimeout": "179"}
    del other["alarm orders-dlq"]
    found = {path for path, *_ in differences(deployed_twice.terraform, other)}
    assert found == {"alarm orders-dlq", "queue orders/VisibilityTimeout"}
