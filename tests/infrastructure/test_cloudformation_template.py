"""The CloudFormation template before deployment: parameters, outputs, defaults, retention and versions."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from deployed_outputs import snake_case_outputs
from infrastructure.test_variables import BACKEND_REJECTED, extreme
from infrastructure.variable_rules import Case, defaults_of
from support.repository.cloudformation import Template, parameter_value, parameters_of
from support.repository.files import REPOSITORY
from support.repository.openapi import operations, resolved, responses
from support.stub_aws.call_duration import longest_call_seconds
from write_configuration import OTHER_NAMES, parameter_of

EMAIL = {"NotificationEmail": "operations@example.com"}
FUNCTIONS = ("Submission", "Processing", "Status", "Notification")
KEY = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef"
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"

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
    settings = defaults_of("terraform-backend")
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


def test_every_parameter_has_a_group_a_description_and_advice(template: Template) -> None:
    interface = template.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    parameters = template.document["Parameters"]
    assert grouped == list(parameters), "groups must list the parameters in their order"
    for name, parameter in parameters.items():
        assert parameter["Description"], name
        assert re.match(r"(Choose|Give|Name|Reserve) ", parameter["ConstraintDescription"]), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), f"{name} has no validation"


# Defaults and options. test_parity.py compares the template with Terraform with every option. The emulator ignores the
# key, the boundary and the reservations in CloudFormation.

DOMAIN = ["OrdersDomain", "OrdersDomainMapping", "OrdersIpv4Record", "OrdersIpv6Record"]
RESERVED = "Properties/ReservedConcurrentExecutions"
KEY_PROPERTIES = [("SQS::Queue", "KmsMasterKeyId"), ("SNS::Topic", "KmsMasterKeyId"), ("Logs::LogGroup", "KmsKeyId")]
KEY_PROPERTIES += [("Lambda::Function", "KmsKeyArn"), ("DynamoDB::Table", "SSESpecification/KMSMasterKeyId")]
MANY = {"ProcessingMaximumConcurrency": "50"}

# Parameters, a path below a resource or below all resources of a type, and its value; None if it is absent.
SETTINGS: list[tuple[dict[str, str], str, Any]] = [
    *(({}, f"AWS::{kind}/Properties/{name}", None) for kind, name in KEY_PROPERTIES),
    *(({"KmsKeyArn": KEY}, f"AWS::{kind}/Properties/{name}", KEY) for kind, name in KEY_PROPERTIES),
    ({}, "AWS::SQS::Queue/Properties/SqsManagedSseEnabled", True),
    ({}, "ProcessingFailingAlarm/Properties/EvaluationPeriods", 10),  # as in test_backend_plan.py
    ({}, "ProcessingErrorsAlarm/Properties/EvaluationPeriods", 6),
    # An update that omits it keeps an earlier value.
    ({}, "DefaultStage/Properties/DefaultRouteSettings/DetailedMetricsEnabled", False),
    ({}, "AWS::IAM::Role/Properties/PermissionsBoundary", None),
    ({"PermissionsBoundaryArn": BOUNDARY}, "AWS::IAM::Role/Properties/PermissionsBoundary", BOUNDARY),
    ({"CompletedOrderEmail": "sales@example.com"}, "OrderCompletedEmail/Properties/Endpoint", "sales@example.com"),
    *(({"CompletedOrderEmail": value}, "OrderCompletedEmail", None) for value in ("", "none")),
    *(({}, name, None) for name in ("JwtAuthorizer", *DOMAIN)),
    ({}, "AWS::ApiGatewayV2::Route/Properties/AuthorizationType", "NONE"),
    ({}, "AWS::ApiGatewayV2::Route/Properties/AuthorizerId", None),
    ({}, "OrdersApi/Properties/CorsConfiguration/AllowHeaders", ["content-type", "idempotency-key"]),
    (
        {"JwtIssuer": "https://a", "JwtAudience": "a"},
        "OrdersApi/Properties/CorsConfiguration/AllowHeaders",
        ["content-type", "idempotency-key", "authorization"],
    ),
    # Terraform's provider cannot tag a dashboard. test_parity.py compares all other tags.
    (
        {"Environment": "staging"},
        "OrdersDashboard/Properties/Tags",
        [{"Key": "Project", "Value": "order-processing"}, {"Key": "Environment", "Value": "staging"}],
    ),
    ({}, "OrdersApi/Properties/DisableExecuteApiEndpoint", False),
    ({}, "AWS::Lambda::Function/Properties/Environment/Variables/JWT_CUSTOMER_CLAIM", None),
    ({}, "DefaultStage/Properties/RouteSettings", {}),
    ({}, "DefaultStage/DependsOn", ["SubmissionRoute", "StatusRoute"]),  # a route must exist before its settings
    *((MANY, f"{name}Function/{RESERVED}", None) for name in FUNCTIONS),
    ({**MANY, "ProcessingConcurrencyReserved": "true"}, f"ProcessingFunction/{RESERVED}", "50"),
    ({"SubmissionReservedConcurrency": "40"}, f"SubmissionFunction/{RESERVED}", "40"),
    *(({"SnapStartEnabled": "true"}, f"{name}Function/Properties/SnapStart", None) for name in FUNCTIONS[1::2]),
    *(
        ({"SnapStartEnabled": chosen}, f"{name}Function/Properties/SnapStart/ApplyOn", applied)
        for chosen, applied in (("false", "None"), ("true", "PublishedVersions"))
        for name in FUNCTIONS[::2]
    ),
]


def setting(value: Any, steps: list[str]) -> Any:
    for step in steps:
        value = (value or {}).get(step)
    return value


@pytest.mark.parametrize(("parameters", "path", "expected"), SETTINGS, ids=str)
def test_parameter_sets_its_property(template: Template, parameters: dict[str, str], path: str, expected: Any) -> None:
    resources = template.resources(**EMAIL, **parameters)
    target, *steps = path.split("/")
    chosen = [each for name, each in resources.items() if target in (name, each["Type"])]
    assert chosen or expected is None
    assert [setting(each, steps) for each in chosen] == [expected] * len(chosen)


@pytest.mark.parametrize(("minutes", "exists"), [("", False), ("5", True), ("1440", True)])
def test_no_orders_alarm_exists_only_when_chosen(template: Template, minutes: str, exists: bool) -> None:
    resources = template.resources(**EMAIL, NoOrdersAlarmMinutes=minutes)
    shown = json.loads(resources["OrdersDashboard"]["Properties"]["DashboardBody"])["widgets"][0]
    alarms = {each["Properties"]["AlarmName"] for each in resources.values() if each["Type"].endswith("::Alarm")}
    assert ("order-processing-dev-no-orders" in alarms) is exists
    on_dashboard = {arn.rpartition(":")[2] for arn in shown["properties"]["alarms"]}
    assert on_dashboard == alarms, "the dashboard must show all alarms"


@pytest.mark.parametrize(
    ("environment", "protection", "policy"),
    [
        ("dev", "", "Delete"),
        ("staging", "", "Delete"),
        ("prod", "", "RetainExceptOnCreate"),
        ("prod", "false", "Delete"),
        ("dev", "true", "RetainExceptOnCreate"),
    ],
)
def test_orders_are_retained_when_protected_or_replaced(
    template: Template, environment: str, protection: str, policy: str
) -> None:
    resources = template.resources(**EMAIL, Environment=environment, DeletionProtectionEnabled=protection)
    assert {name: resources[name]["DeletionPolicy"] for name in ORDERS} == dict.fromkeys(ORDERS, policy)
    assert {resources[name]["UpdateReplacePolicy"] for name in ORDERS} == {"Retain"}
    protected = resources["OrdersTable"]["Properties"]["DeletionProtectionEnabled"]
    assert protected == (policy == "RetainExceptOnCreate"), "deletion protection must follow the same condition"
    retained = {name for name, each in resources.items() if each.get("DeletionPolicy", "Delete") != "Delete"}
    assert retained - ORDERS == {f"{function}Version" for function in FUNCTIONS}


# Versions

# Not part of a version, or fixed by Project and Environment, which also name the function.
NOT_IN_A_VERSION = {"Code", "Description", "Environment", "FunctionName", "LogGroup", "ReservedConcurrentExecutions"}
NOT_IN_A_VERSION |= {"Role", "Tags"}


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
    tokens = {"JwtIssuer": "https://a", "JwtAudience": "a", "JwtCustomerClaim": "c" * 50}
    resources = template.resources(
        **EMAIL, **tokens, KmsKeyArn=KEY, ProcessingTimeoutSeconds="120", SnapStartEnabled="true"
    )
    description = resources[f"{function}Version"]["Properties"]["Description"]
    words = description.split(" ")
    properties = resources[f"{function}Function"]["Properties"]
    settings = {*_settings(properties), properties["Environment"]["Variables"].get("JWT_CUSTOMER_CLAIM", "INFO")}
    # Log levels imply the format JSON. The key's ID suffices: a stack is in one region, and IDs are unique per region.
    assert settings - {KEY, "JSON"} | {KEY.rpartition("/")[2]} <= set(words), f"add the setting to {function}Version"
    assert words[-1] == "<included>", "the zip's hash is missing"
    assert len(description) - len("<included>") + 64 <= 256, "the limit of a version's description"
    variables = template.document["Resources"][f"{function}Function"]["Properties"]["Environment"]["Variables"]
    assert all(isinstance(each, dict) for each in variables.values()), "a literal must be in the description"


def test_package_matches_the_architecture(template: Template) -> None:
    architecture = template.document["Mappings"]["Package"]["Target"]["Architecture"]
    record = template.document["Mappings"]["Package"]["Record"]["Fn::Transform"]["Parameters"]["Location"]
    assert record == f"../dist/orders-{architecture}.inputs"
    for name in FUNCTIONS:
        function = template.resources(**EMAIL)[f"{name}Function"]["Properties"]
        assert function["Code"] == f"../dist/orders-{architecture}.zip", name
        assert function["Architectures"] == [architecture], name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_alias_serves_the_published_version(template: Template, function: str) -> None:
    resources = template.document["Resources"]
    alias = resources[f"{function}Alias"]["Properties"]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [f"{function}Version", "Version"]}
    callers = ("::EventSourceMapping", "::Integration", "::Permission")
    invoked = json.dumps([each["Properties"] for each in resources.values() if each["Type"].endswith(callers)])
    assert f"{function}Alias" in invoked
    assert f"{function}Function" not in invoked, "use the alias: without it, unpublished code would be served"


# The OpenAPI document and the functions' timeouts


def test_routes_and_cors_match_the_openapi_document(template: Template) -> None:
    resources = template.resources(**EMAIL).values()
    routes = {each["Properties"]["RouteKey"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Route"}
    [cors] = [each["Properties"]["CorsConfiguration"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Api"]
    assert routes == operations().keys()
    assert set(cors["AllowMethods"]) == {route.split()[0] for route in routes}
    parameters = [resolved(each) for operation in operations().values() for each in operation.get("parameters", [])]
    sent = {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}
    # JSON needs a preflight request; without one, a browser sends only three other content types.
    assert set(cors["AllowHeaders"]) == sent | {"content-type"}
    received = {name.lower() for response in responses() for name in response.headers}
    # A browser can always read it: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
    assert set(cors["ExposeHeaders"]) == received - {"cache-control"}


# Sequential calls per event: an insert, and a read of orders that are already stored.
@pytest.mark.parametrize(("function", "calls"), [*zip(FUNCTIONS, (1, 2, 1, 1), strict=True)])
def test_function_responds_before_its_timeout_when_aws_hangs(template: Template, function: str, calls: int) -> None:
    timeout = int(template.resources(**EMAIL)[f"{function}Function"]["Properties"]["Timeout"])
    assert calls * longest_call_seconds() + 1 <= timeout, "reserve one second for the start, the log and the response"
    if function in ("Submission", "Status"):
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
        assert timeout < 30, "the API would time out before the function responds"


# Values that are accepted and rejected, as by Terraform: the cases are those of test_variables.py.

PARAMETERS = Template.read().document["Parameters"]


def terraform_cases() -> Iterator[Case]:
    for case in BACKEND_REJECTED:
        if case.variable in NOT_PARAMETERS or case.variable in OTHER_NAMES:
            continue
        if case.value == "Operations@EXAMPLE.com":
            continue  # CloudFormation compares case-sensitively
        name, value = parameter_of(case.variable), parameter_value(case.value)
        if value == PARAMETERS[name].get("Default"):
            continue  # the default: empty here, null in Terraform
        if isinstance(case.value, list) and ("," in value or value != value.strip()):
            continue  # CloudFormation splits it at commas and trims it
        yield Case(name, value, case.advice.replace(case.variable, name))


CASES = [
    *terraform_cases(),
    Case("CorsAllowedOrigins", "https://a.example.com,shop", "scheme://host[:port]"),
    Case("DeletionProtectionEnabled", "yes", '"true" or "false"'),
    Case("DeletionProtectionEnabled", "True", '"true" or "false"'),
    Case("ProcessingConcurrencyReserved", "", '"true"'),
    Case("ProcessingConcurrencyReserved", "10", '"true"'),
    Case("ProcessingMaximumConcurrency", "ten", "from 2 to 1000"),
    Case("ProcessingBatchWindowSeconds", "21", "from 0 to 20"),
    Case("NotificationParallelizationFactor", "2.5", "from 1 to 10"),
    Case("ProcessingTimeoutSeconds", "31", "Below 2, a cold start cannot finish"),
    Case("SubmissionReservedConcurrency", "010", "with 0 every order is rejected"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_invalid_value_is_rejected_with_the_advice_of_terraform(template: Template, case: Case) -> None:
    advice = template.rejections(**{**EMAIL, case.variable: case.value})
    assert any(case.advice in each for each in advice), advice


@pytest.mark.parametrize("number", [0, 1], ids=["smallest", "largest"])
def test_extreme_values_are_accepted(template: Template, number: int) -> None:
    values = extreme("terraform-backend", number).items()
    same = {name: value for name, value in values if name not in NOT_PARAMETERS and name not in OTHER_NAMES}
    assert template.rejections(**{**EMAIL, **parameters_of(same)}) == []


def test_only_notification_email_is_required(template: Template) -> None:
    assert template.rejections(**EMAIL) == []
    assert template.rejections() == [PARAMETERS["NotificationEmail"]["ConstraintDescription"]]
