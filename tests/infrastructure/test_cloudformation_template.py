"""The CloudFormation template before deployment: parameters, outputs, defaults, retention and versions."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from deployed_outputs import snake_case_outputs
from support.repository.cloudformation import TEMPLATE, Template
from support.repository.files import REPOSITORY
from write_configuration import OTHER_NAMES, parameter_of, variables

EMAIL = {"NotificationEmail": "operations@example.com"}
FUNCTIONS = ("Submission", "Processing", "Status", "Notification")

# Resources that hold the only copy of an order, and the policies that retained queues need.
ORDERS = {"OrdersTable", "OrdersQueue", "OrdersDlq", "OrdersQueuePolicy", "OrdersDlqPolicy"}


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read()


# Terraform variables without a parameter, with the reason.
NOT_PARAMETERS = {
    "aws_region": "a stack belongs to a region",
    "lambda_architecture": "the package determines it",
    "lambda_zip_path": "the package determines it",
}


def test_parameters_and_defaults_match_terraform(template: Template) -> None:
    settings = {variable.name: variable.default for variable in variables("terraform-backend")}
    assert NOT_PARAMETERS.keys() <= settings.keys()
    defaults = {parameter_of(name): default for name, default in settings.items() if name not in NOT_PARAMETERS}
    parameters = template.document["Parameters"]
    assert parameters.keys() == defaults.keys()
    for name, default in defaults.items():
        if default is None:
            assert "Default" not in parameters[name], f"{name} must be required"
        elif name not in OTHER_NAMES.values():
            value = json.loads(default)
            expected = ",".join(value) if isinstance(value, list) else "" if value is None else str(value)
            expected = expected.lower() if isinstance(value, bool) else expected
            assert str(parameters[name]["Default"]) == expected, name


def test_outputs_match_terraform(template: Template) -> None:
    terraform = (REPOSITORY / "terraform-backend" / "outputs.tf").read_text()
    described = dict(re.findall(r'^output "(\w+)" \{\n  description = "(.*)"$', terraform, re.M))
    assert len(described) == terraform.count("\noutput "), "each output must begin with its description"
    outputs = snake_case_outputs(
        {"OutputKey": name, "OutputValue": output["Description"].replace("<ApiEndpoint>", "<api_endpoint>")}
        for name, output in template.document["Outputs"].items()
    )
    assert outputs == described


def test_outputs_refer_to_their_resources(template: Template) -> None:
    assert {name: output["Value"] for name, output in template.document["Outputs"].items()} == {
        "ApiEndpoint": {
            "Fn::If": [
                "HasApiDomain",
                {"Fn::Sub": "https://${ApiDomainName}"},
                {"Fn::GetAtt": ["OrdersApi", "ApiEndpoint"]},
            ]
        },
        "OrdersTableName": {"Ref": "OrdersTable"},
        "OrdersQueueUrl": {"Ref": "OrdersQueue"},
        "OrdersDlqUrl": {"Ref": "OrdersDlq"},
        "NotificationsDlqUrl": {"Ref": "NotificationsDlq"},
        "AlertsTopicArn": {"Ref": "AlertsTopic"},
        "OrderCompletedTopicArn": {"Ref": "OrderCompletedTopic"},
        "DashboardName": {"Ref": "OrdersDashboard"},
    }


def test_every_parameter_has_a_group_a_description_and_advice(template: Template) -> None:
    interface = template.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    parameters = template.document["Parameters"]
    assert grouped == list(parameters), "groups must list the parameters in their order"
    for name, parameter in parameters.items():
        assert parameter["Description"], name
        assert re.match(r"(Choose|Give|Name|Reserve) ", parameter["ConstraintDescription"]), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), f"{name} has no validation"


@pytest.mark.parametrize(
    "pattern",
    [r"\b(us|eu|ap|ca|sa|me|af|il|mx|cn)(-gov|-iso\w?)?-[a-z]+-\d\b", r"\b\d{12}\b", r"\barn:aws[a-z-]*:"],
    ids=["region", "account", "partition"],
)
def test_template_does_not_hardcode(pattern: str) -> None:
    text = re.sub(r"(?m)(^|\s)#.*$", "", TEMPLATE.read_text())
    prose = r"(?m)^( *)(Description|ConstraintDescription|AlarmDescription|AllowedPattern): .*\n(?:(?:\1 +.*)?\n)*"
    assert re.findall(pattern, re.sub(prose, "", text)) == []


def test_every_resource_with_tags_has_project_and_environment(template: Template) -> None:
    for name, resource in template.resources(**EMAIL).items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        if schema["tagging"]["taggable"]:
            tags = resource["Properties"].get("Tags", {})
            by_key = {tag["Key"]: tag["Value"] for tag in tags} if isinstance(tags, list) else tags
            assert by_key == {"Project": "order-processing", "Environment": "dev"}, name


# Defaults and options. test_parity.py compares the template with Terraform with every option.

KEY_PROPERTIES = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::Lambda::Function": "KmsKeyArn",
}


def test_customer_key_encrypts_every_store(template: Template) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    resources = template.resources(**EMAIL, KmsKeyArn=key)
    for name, resource in resources.items():
        if resource["Type"] in KEY_PROPERTIES:
            assert resource["Properties"][KEY_PROPERTIES[resource["Type"]]] == key, name
    assert resources["OrdersTable"]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == key


def test_only_queues_are_encrypted_without_a_customer_key(template: Template) -> None:
    # With the AWS managed key for SNS, CloudWatch cannot publish alarms.
    for name, resource in template.resources(**EMAIL).items():
        if resource["Type"] == "AWS::SQS::Queue":
            assert resource["Properties"]["SqsManagedSseEnabled"] is True, name
        assert KEY_PROPERTIES.get(resource["Type"]) not in resource["Properties"], name


def test_every_role_has_the_chosen_boundary(template: Template) -> None:
    # The emulator ignores this property in CloudFormation.
    for boundary in ("arn:aws:iam::123456789012:policy/Boundary", None):
        parameters = {"PermissionsBoundaryArn": boundary} if boundary else {}
        roles = [r for r in template.resources(**EMAIL, **parameters).values() if r["Type"] == "AWS::IAM::Role"]
        assert {role["Properties"].get("PermissionsBoundary") for role in roles} == {boundary}


@pytest.mark.parametrize(
    ("chosen", "subscribed"),
    [("", None), ("sales@example.com", "sales@example.com"), ("none", None)],
)
def test_completed_orders_are_mailed_only_to_the_chosen_address(
    template: Template, chosen: str, subscribed: str | None
) -> None:
    subscription = template.resources(**EMAIL, CompletedOrderEmail=chosen).get("OrderCompletedEmail")
    assert (subscription and subscription["Properties"]["Endpoint"]) == subscribed


@pytest.mark.parametrize(("minutes", "there"), [("", False), ("5", True), ("1440", True)])
def test_no_orders_alarm_exists_only_when_chosen(template: Template, minutes: str, there: bool) -> None:
    resources = template.resources(**EMAIL, NoOrdersAlarmMinutes=minutes)
    shown = json.loads(resources["OrdersDashboard"]["Properties"]["DashboardBody"])["widgets"][0]
    alarms = {each["Properties"]["AlarmName"] for each in resources.values() if each["Type"].endswith("::Alarm")}
    assert ("order-processing-dev-no-orders" in alarms) is there
    assert {arn.rpartition(":")[2] for arn in shown["properties"]["alarms"]} == alarms, (
        "the dashboard must show all alarms"
    )


def test_tokens_domain_and_route_limits_are_off_by_default(template: Template) -> None:
    resources = template.resources(**EMAIL)
    for route in ("SubmissionRoute", "StatusRoute"):
        properties = resources[route]["Properties"]
        assert (properties["AuthorizationType"], "AuthorizerId" in properties) == ("NONE", False)
    assert "JwtAuthorizer" not in resources
    assert resources["OrdersApi"]["Properties"]["CorsConfiguration"]["AllowHeaders"] == [
        "content-type",
        "idempotency-key",
    ]
    assert not any("JWT_CUSTOMER_CLAIM" in str(resources[f"{function}Function"]) for function in FUNCTIONS)
    assert resources["OrdersApi"]["Properties"]["DisableExecuteApiEndpoint"] is False
    assert not any(name.startswith(("OrdersDomain", "OrdersIpv")) for name in resources)
    stage = resources["DefaultStage"]
    assert stage["Properties"]["RouteSettings"] == {}
    assert set(stage["DependsOn"]) == {"SubmissionRoute", "StatusRoute"}, "a route must exist before its settings"


@pytest.mark.parametrize(
    ("choice", "reserved"),
    [
        ({"ProcessingMaximumConcurrency": "50"}, {}),
        ({"ProcessingMaximumConcurrency": "50", "ProcessingConcurrencyReserved": "true"}, {"Processing": "50"}),
        ({"SubmissionReservedConcurrency": "40"}, {"Submission": "40"}),
    ],
    ids=str,
)
def test_concurrency_is_reserved_only_when_chosen(
    template: Template, choice: dict[str, str], reserved: dict[str, str]
) -> None:
    resources = template.resources(**EMAIL, **choice)
    found = {name: resources[f"{name}Function"]["Properties"].get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    assert found == {**dict.fromkeys(FUNCTIONS), **reserved}


# Retention


@pytest.mark.parametrize(
    ("choice", "policy"),
    [
        ({"Environment": "dev"}, "Delete"),
        ({"Environment": "staging"}, "Delete"),
        ({"Environment": "prod"}, "RetainExceptOnCreate"),
        ({"Environment": "prod", "DeletionProtectionEnabled": "false"}, "Delete"),
        ({"Environment": "dev", "DeletionProtectionEnabled": "true"}, "RetainExceptOnCreate"),
    ],
    ids=str,
)
def test_orders_are_retained_when_protected(template: Template, choice: dict[str, str], policy: str) -> None:
    resources = template.resources(**EMAIL, **choice)
    assert {name: resources[name]["DeletionPolicy"] for name in ORDERS} == dict.fromkeys(ORDERS, policy)
    protected = resources["OrdersTable"]["Properties"]["DeletionProtectionEnabled"]
    assert protected == (policy == "RetainExceptOnCreate"), "deletion protection must follow the same condition"


def test_orders_are_retained_when_replaced(template: Template) -> None:
    resources = template.resources(**EMAIL, DeletionProtectionEnabled="false")
    assert {resources[name]["UpdateReplacePolicy"] for name in ORDERS} == {"Retain"}


def test_only_orders_and_versions_are_retained(template: Template) -> None:
    resources = template.resources(**EMAIL, Environment="prod")
    left = {name for name, resource in resources.items() if resource.get("DeletionPolicy", "Delete") != "Delete"}
    assert left == ORDERS | {f"{function}Version" for function in FUNCTIONS}


# Versions

# Not part of a version, or derived from Project and Environment, which determine the function.
NOT_IN_A_VERSION = {
    "Code",
    "Description",
    "Environment",
    "FunctionName",
    "LogGroup",
    "ReservedConcurrentExecutions",
    "Role",
    "Tags",
}


def _settings(value: Any) -> Iterator[str]:
    match value:
        case {**mapping}:
            for name, each in mapping.items():
                if name not in NOT_IN_A_VERSION:
                    yield from _settings(each)
        case list():
            for each in value:
                yield from _settings(each)
        case _:
            yield str(value)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_change_of_any_setting_publishes_a_version(template: Template, function: str) -> None:
    key = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef"
    tokens = {"JwtIssuer": "https://a", "JwtAudience": "a", "JwtCustomerClaim": "c" * 50}
    resources = template.resources(
        **EMAIL, **tokens, KmsKeyArn=key, ProcessingTimeoutSeconds="120", SnapStartEnabled="true"
    )
    description = resources[f"{function}Version"]["Properties"]["Description"]
    words = description.split(" ")
    properties = resources[f"{function}Function"]["Properties"]
    settings = {*_settings(properties), properties["Environment"]["Variables"].get("JWT_CUSTOMER_CLAIM", "INFO")}
    # Log levels imply the format JSON. The key's ID suffices: a stack is in one region, and IDs are unique per region.
    assert settings - {key, "JSON"} | {key.rpartition("/")[2]} <= set(words), f"add the setting to {function}Version"
    assert words[-1] == "<included>", "the zip's hash is missing"
    assert len(description) - len("<included>") + 64 <= 256, "the limit of a version's description"


@pytest.mark.parametrize(("choice", "apply_on"), [({}, "None"), ({"SnapStartEnabled": "true"}, "PublishedVersions")])
def test_snap_start_applies_to_submission_and_status_when_chosen(
    template: Template, choice: dict[str, str], apply_on: str
) -> None:
    resources = template.resources(**EMAIL, **choice)
    starts = {name: resources[f"{name}Function"]["Properties"].get("SnapStart") for name in FUNCTIONS}
    assert starts == {
        "Submission": {"ApplyOn": apply_on},
        "Processing": None,
        "Status": {"ApplyOn": apply_on},
        "Notification": None,
    }


def test_package_matches_the_architecture(template: Template) -> None:
    architecture = template.document["Mappings"]["Package"]["Target"]["Architecture"]
    record = template.document["Mappings"]["Package"]["Record"]["Fn::Transform"]["Parameters"]["Location"]
    assert record == f"../dist/orders-{architecture}.inputs"
    for name, resource in template.resources(**EMAIL).items():
        if resource["Type"] == "AWS::Lambda::Function":
            assert resource["Properties"]["Code"] == f"../dist/orders-{architecture}.zip", name
            assert resource["Properties"]["Architectures"] == [architecture], name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_environment_variables_are_references(template: Template, function: str) -> None:
    properties = template.document["Resources"][f"{function}Function"]["Properties"]
    given = properties["Environment"]["Variables"].values()
    assert [each for each in given if not isinstance(each, dict)] == [], (
        "a literal would have to be part of the version's description"
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_alias_serves_the_published_version(template: Template, function: str) -> None:
    alias = template.document["Resources"][f"{function}Alias"]["Properties"]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [f"{function}Version", "Version"]}
    invoked = json.dumps(
        [
            resource["Properties"]
            for resource in template.document["Resources"].values()
            if resource["Type"].endswith(("::EventSourceMapping", "::Integration", "::Permission"))
        ]
    )
    assert f"{function}Alias" in invoked
    assert f"{function}Function" not in invoked, "use the alias: without it, unpublished code would be served"
