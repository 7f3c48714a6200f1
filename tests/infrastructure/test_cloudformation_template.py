"""The CloudFormation template as it is written: what a reader sees, before anything is deployed."""

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
TERRAFORM = REPOSITORY / "terraform-backend"
FUNCTIONS = ("Submission", "Processing", "Status", "Notification")

# What holds orders that are nowhere else, and the policies that queues must not be left without.
ORDERS = {"OrdersTable", "OrdersQueue", "OrdersDlq", "OrdersQueuePolicy", "OrdersDlqPolicy"}


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read()


# Equal to Terraform


def _chapters(text: str) -> list[tuple[str, str]]:
    """Return the chapters, under a banner in Terraform and before one in the template."""
    return re.findall(r"^#{30,}\n# (.+)\n#{30,}$|^  # (.+?) #{20,}$", text, re.M)


def _titles(text: str) -> list[str]:
    return ["".join(found) for found in _chapters(text)]


def test_chapters_are_those_of_terraform() -> None:
    text = TEMPLATE.read_text()
    parameters = text[text.index("\nParameters:") : text.index("\nMappings:")]
    resources = text[text.index("\nResources:") :]
    without_resources = {"Naming and lookups", "Functions: what they share", "Addresses of earlier releases"}
    files = ("main.tf", "monitoring.tf")
    terraform = [title for name in files for title in _titles((TERRAFORM / name).read_text())]
    assert _titles(resources) == [title for title in terraform if title not in without_resources]
    assert _titles(parameters) == _titles((TERRAFORM / "variables.tf").read_text())


# Terraform's variables that are no parameters, and why.
NOT_PARAMETERS = {
    "aws_region": "the stack is in a region",
    "lambda_architecture": "of the package",
    "lambda_zip_path": "of the package",
}


def test_the_parameters_are_terraforms_variables_with_the_same_defaults(template: Template) -> None:
    settings = {variable.name: variable.default for variable in variables("terraform-backend")}
    assert NOT_PARAMETERS.keys() <= settings.keys()
    defaults = {parameter_of(name): default for name, default in settings.items() if name not in NOT_PARAMETERS}
    parameters = template.document["Parameters"]
    assert parameters.keys() == defaults.keys()
    for name, default in defaults.items():
        if default is None:
            assert "Default" not in parameters[name], f"{name} has to be given"
        elif name not in OTHER_NAMES.values():
            value = json.loads(default)
            expected = ",".join(value) if isinstance(value, list) else "" if value is None else str(value)
            expected = expected.lower() if isinstance(value, bool) else expected
            assert str(parameters[name]["Default"]) == expected, name


def test_the_outputs_are_terraforms(template: Template) -> None:
    terraform = (REPOSITORY / "terraform-backend" / "outputs.tf").read_text()
    described = dict(re.findall(r'^output "(\w+)" \{\n  description = "(.*)"$', terraform, re.M))
    assert len(described) == terraform.count("\noutput "), "each begins with its description"
    outputs = snake_case_outputs(
        {"OutputKey": name, "OutputValue": output["Description"].replace("<ApiEndpoint>", "<api_endpoint>")}
        for name, output in template.document["Outputs"].items()
    )
    assert outputs == described


def test_every_output_is_of_what_its_name_says(template: Template) -> None:
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


# For whoever fills the form in the console


def test_every_parameter_has_a_group_a_description_and_advice(template: Template) -> None:
    interface = template.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    parameters = template.document["Parameters"]
    assert grouped == list(parameters), "in the order in which they are described"
    for name, parameter in parameters.items():
        assert parameter["Description"], name
        assert re.match(r"(Choose|Give|Name|Reserve) ", parameter["ConstraintDescription"]), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), f"{name} takes anything"


# Where it can be deployed


def _code() -> str:
    """Return the template without comments, texts for people and patterns that say what an ARN looks like."""
    text = re.sub(r"(?m)(^|\s)#.*$", "", TEMPLATE.read_text())
    for_people = r"(?m)^( *)(Description|ConstraintDescription|AlarmDescription|AllowedPattern): .*\n(?:(?:\1 +.*)?\n)*"
    return re.sub(for_people, "", text)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a region", r"\b(us|eu|ap|ca|sa|me|af|il|mx|cn)(-gov|-iso\w?)?-[a-z]+-\d\b"),
        ("an account", r"\b\d{12}\b"),
        ("a partition", r"\barn:aws[a-z-]*:"),
    ],
)
def test_nothing_is_tied_to(what: str, pattern: str) -> None:
    assert re.findall(pattern, _code()) == [], f"{what} is named"


def test_everything_that_can_carry_tags_has_project_and_environment(template: Template) -> None:
    tagged = 0
    for name, resource in template.resources(**EMAIL).items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        if not schema["tagging"]["taggable"]:
            continue
        tags = resource["Properties"].get("Tags", {})
        if isinstance(tags, list):
            tags = {tag["Key"]: tag["Value"] for tag in tags}
        assert tags == {"Project": "order-processing", "Environment": "dev"}, name
        tagged += 1
    assert tagged > 30, "most resources carry tags"


# Encryption with a customer's key, and roles within bounds

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"

KEY_PROPERTIES = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::Lambda::Function": "KmsKeyArn",
}


def test_a_customers_key_reaches_every_store_and_every_role_that_reads_it(template: Template) -> None:
    resources = template.resources(**EMAIL, KmsKeyArn=KEY)
    for name, resource in resources.items():
        if resource["Type"] in KEY_PROPERTIES:
            assert resource["Properties"][KEY_PROPERTIES[resource["Type"]]] == KEY, name
    assert resources["OrdersTable"]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == KEY
    uses = {
        function: {
            statement["Sid"]: statement["Action"]
            for statement in resources[f"{function}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
            if statement["Resource"] == KEY
        }
        for function in FUNCTIONS
    }
    decrypt = {"DecryptWithCustomerKey": "kms:Decrypt"}
    assert uses == {
        "Submission": {"EncryptQueuedOrders": "kms:GenerateDataKey", **decrypt},
        "Processing": {"EncryptStoredOrders": ["kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], **decrypt},
        "Status": decrypt,
        "Notification": {"EncryptNotifications": "kms:GenerateDataKey", **decrypt},
    }


def test_without_a_customers_key_aws_encrypts_what_it_can_without_muting_the_alarms(template: Template) -> None:
    for name, resource in template.resources(**EMAIL).items():
        if resource["Type"] == "AWS::SQS::Queue":
            assert resource["Properties"]["SqsManagedSseEnabled"] is True, name
        assert KEY_PROPERTIES.get(resource["Type"]) not in resource["Properties"], name


def test_every_role_is_bounded_where_the_account_demands_it(template: Template) -> None:
    for boundary, parameters in ((BOUNDARY, {"PermissionsBoundaryArn": BOUNDARY}), (None, {})):
        roles = [r for r in template.resources(**EMAIL, **parameters).values() if r["Type"] == "AWS::IAM::Role"]
        assert {role["Properties"].get("PermissionsBoundary") for role in roles} == {boundary}


@pytest.mark.parametrize(
    ("chosen", "subscribed"),
    [("", None), ("sales@example.com", "sales@example.com"), ("none", None)],
)
def test_completed_orders_are_mailed_to_whom_is_chosen(template: Template, chosen: str, subscribed: str | None) -> None:
    subscription = template.resources(**EMAIL, CompletedOrderEmail=chosen).get("OrderCompletedEmail")
    assert (subscription and subscription["Properties"]["Endpoint"]) == subscribed


@pytest.mark.parametrize(("minutes", "there"), [("", False), ("5", True), ("1440", True)])
def test_orders_are_missed_where_they_are_expected_alone(template: Template, minutes: str, there: bool) -> None:
    resources = template.resources(**EMAIL, NoOrdersAlarmMinutes=minutes)
    shown = json.loads(resources["OrdersDashboard"]["Properties"]["DashboardBody"])["widgets"][0]
    alarms = {each["Properties"]["AlarmName"] for each in resources.values() if each["Type"].endswith("::Alarm")}
    assert ("order-processing-dev-no-orders" in alarms) is there
    assert {arn.rpartition(":")[2] for arn in shown["properties"]["alarms"]} == alarms, "the dashboard shows all"


def test_every_alarm_fits_into_cloudwatch_with_its_link_whatever_the_names(template: Template) -> None:
    longest = {
        "Project": "p" * 25,
        "Environment": "staging",
        "RunbookUrl": f"https://{'r' * 292}",
        "LatencyAlarmThresholdMs": "29000",
        "NoOrdersAlarmMinutes": "1440",
    }
    assert re.fullmatch(template.document["Parameters"]["RunbookUrl"]["AllowedPattern"], longest["RunbookUrl"])
    for name, resource in template.resources(**EMAIL, **longest).items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert longest["RunbookUrl"] in resource["Properties"]["AlarmDescription"], name
            assert len(resource["Properties"]["AlarmDescription"]) <= 1024, name


def test_with_an_issuer_both_routes_ask_for_its_tokens(template: Template) -> None:
    issuer = "https://login.example.com/shop/"
    bearer = ["$request.header.Authorization"]
    for chosen, routes, authorizers, headers in (
        ({}, {"AuthorizationType": "NONE"}, [], set()),
        (
            {"JwtIssuer": issuer, "JwtAudience": "shop,till", "JwtCustomerClaim": "custom:customer"},
            {"AuthorizationType": "JWT", "AuthorizerId": "<JwtAuthorizer>"},
            [(bearer, {"Issuer": issuer, "Audience": ["shop", "till"]})],
            {"authorization"},
        ),
    ):
        resources = template.resources(**EMAIL, **chosen)
        for route in ("SubmissionRoute", "StatusRoute"):
            properties = resources[route]["Properties"]
            assert {key: each for key, each in properties.items() if key.startswith("Auth")} == routes
        for function in FUNCTIONS:
            environment = resources[f"{function}Function"]["Properties"]["Environment"]["Variables"]
            compares = bool(chosen) and function in ("Submission", "Status")
            assert environment.get("JWT_CUSTOMER_CLAIM") == ("custom:customer" if compares else None), function
        found = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Authorizer"]
        assert [(each["IdentitySource"], each["JwtConfiguration"]) for each in found] == authorizers
        allowed = resources["OrdersApi"]["Properties"]["CorsConfiguration"]["AllowHeaders"]
        assert set(allowed) == {"content-type", "idempotency-key"} | headers


def test_api_domain_replaces_the_default_endpoint(template: Template) -> None:
    certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
    domain = {"ApiDomainName": "api.example.com", "ApiCertificateArn": certificate}
    zone = {"ApiHostedZoneId": "Z0123456789ABCDEFGHIJ"}
    for chosen, expected in (
        ({}, set()),
        (domain, {"OrdersDomain", "OrdersDomainMapping"}),
        (domain | zone, {"OrdersDomain", "OrdersDomainMapping", "OrdersIpv4Record", "OrdersIpv6Record"}),
    ):
        resources = template.resources(**EMAIL, **chosen)
        assert {name for name in resources if name.startswith(("OrdersDomain", "OrdersIpv"))} == expected
        assert resources["OrdersApi"]["Properties"]["DisableExecuteApiEndpoint"] is bool(chosen)
    [configuration] = resources["OrdersDomain"]["Properties"]["DomainNameConfigurations"]
    assert configuration == {
        "CertificateArn": certificate,
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
        "IpAddressType": "dualstack",
    }


def test_a_route_has_limits_of_its_own_where_they_were_chosen(template: Template) -> None:
    limits = {
        "ApiThrottlingRateLimit": "20",
        "ApiThrottlingBurstLimit": "30",
        "SubmissionThrottlingRateLimit": "10",
        "StatusThrottlingBurstLimit": "15",
    }
    own = {
        "POST /orders": {"ThrottlingRateLimit": "10", "ThrottlingBurstLimit": "30", "DetailedMetricsEnabled": True},
        "GET /orders/{order_id}": {
            "ThrottlingRateLimit": "20",
            "ThrottlingBurstLimit": "15",
            "DetailedMetricsEnabled": True,
        },
    }
    for chosen, expected in (({}, {}), (limits, own)):
        stage = template.resources(**EMAIL, **chosen)["DefaultStage"]
        assert stage["Properties"]["RouteSettings"] == expected
        assert set(stage["DependsOn"]) == {"SubmissionRoute", "StatusRoute"}, "a route has to be there before"


def test_what_is_chosen_reaches_what_it_is_chosen_for(template: Template) -> None:
    # Nothing as by default, which is all that the comparison with Terraform's deployment sees.
    properties = {
        name: resource["Properties"]
        for name, resource in template.resources(
            NotificationEmail="alerts@example.com",
            CorsAllowedOrigins="https://shop.example.com,https://till.example.com",
            LogRetentionDays="365",
            ApiThrottlingRateLimit="20",
            ApiThrottlingBurstLimit="30",
            LatencyAlarmThresholdMs="1500",
            NoOrdersAlarmMinutes="120",
        ).items()
    }
    assert properties["AlertsEmail"]["Endpoint"] == "alerts@example.com"
    assert properties["OrdersApi"]["CorsConfiguration"]["AllowOrigins"] == [
        "https://shop.example.com",
        "https://till.example.com",
    ]
    logs = [properties[name] for name in properties if name.endswith("Log")]
    assert [log["RetentionInDays"] for log in logs] == ["365"] * 5
    limits = properties["DefaultStage"]["DefaultRouteSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == ("20", "30")
    assert properties["ApiSlowAlarm"]["Threshold"] == "1500"
    assert properties["NoOrdersAlarm"]["EvaluationPeriods"] == "120"


@pytest.mark.parametrize(
    ("choice", "reserved"),
    [
        ({"ProcessingMaximumConcurrency": "50"}, {}),
        ({"ProcessingMaximumConcurrency": "50", "ProcessingConcurrencyReserved": "true"}, {"Processing": "50"}),
        ({"SubmissionReservedConcurrency": "40"}, {"Submission": "40"}),
    ],
    ids=str,
)
def test_no_concurrency_is_reserved_unless_asked_for(
    template: Template, choice: dict[str, str], reserved: dict[str, str]
) -> None:
    resources = template.resources(**EMAIL, **choice)
    found = {name: resources[f"{name}Function"]["Properties"].get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    assert found == {**dict.fromkeys(FUNCTIONS), **reserved}


# What outlives what


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
def test_orders_outlive_the_stack_when_they_are_protected(
    template: Template, choice: dict[str, str], policy: str
) -> None:
    resources = template.resources(**EMAIL, **choice)
    assert {name: resources[name]["DeletionPolicy"] for name in ORDERS} == dict.fromkeys(ORDERS, policy)
    protected = resources["OrdersTable"]["Properties"]["DeletionProtectionEnabled"]
    assert protected == (policy == "RetainExceptOnCreate"), "the table refuses to be deleted on the same condition"


def test_orders_outlive_every_replacement(template: Template) -> None:
    resources = template.resources(**EMAIL, DeletionProtectionEnabled="false")
    assert {resources[name]["UpdateReplacePolicy"] for name in ORDERS} == {"Retain"}


def test_nothing_else_is_left_behind_but_versions_to_go_back_to(template: Template) -> None:
    resources = template.resources(**EMAIL, Environment="prod")
    left = {name for name, resource in resources.items() if resource.get("DeletionPolicy", "Delete") != "Delete"}
    assert left == ORDERS | {f"{function}Version" for function in FUNCTIONS}


# Versions

# Not part of a version, or given by Project and Environment, and those make another function.
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
def test_version_is_published_when_any_setting_changes(template: Template, function: str) -> None:
    key = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef"
    tokens = {"JwtIssuer": "https://a", "JwtAudience": "a", "JwtCustomerClaim": "c" * 50}
    resources = template.resources(
        **EMAIL, **tokens, KmsKeyArn=key, ProcessingTimeoutSeconds="120", SnapStartEnabled="true"
    )
    description = resources[f"{function}Version"]["Properties"]["Description"]
    words = description.split(" ")
    properties = resources[f"{function}Function"]["Properties"]
    settings = {*_settings(properties), properties["Environment"]["Variables"].get("JWT_CUSTOMER_CLAIM", "JSON")}
    # A stack is in one region, and a key's ID is unique there.
    assert settings - {key} | {key.rpartition("/")[2]} <= set(words), f"add the setting to {function}Version"
    assert words[-1] == "<included>", "the zip's hash is missing"
    assert len(description) - len("<included>") + 64 <= 256, "the limit of a version's description"


@pytest.mark.parametrize(("choice", "apply_on"), [({}, "None"), ({"SnapStartEnabled": "true"}, "PublishedVersions")])
def test_what_a_customer_waits_for_starts_from_a_snapshot_if_asked_for(
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


def test_the_package_is_for_the_processor_that_runs_it(template: Template) -> None:
    architecture = template.document["Mappings"]["Package"]["Target"]["Architecture"]
    record = template.document["Mappings"]["Package"]["Record"]["Fn::Transform"]["Parameters"]["Location"]
    assert record == f"../dist/orders-{architecture}.inputs"
    for name, resource in template.resources(**EMAIL).items():
        if resource["Type"] == "AWS::Lambda::Function":
            assert resource["Properties"]["Code"] == f"../dist/orders-{architecture}.zip", name
            assert resource["Properties"]["Architectures"] == [architecture], name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_function_is_given_is_given_by_reference(template: Template, function: str) -> None:
    properties = template.document["Resources"][f"{function}Function"]["Properties"]
    given = properties["Environment"]["Variables"].values()
    assert [each for each in given if not isinstance(each, dict)] == [], "a literal would have to be told"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_requests_are_served_by_the_published_version(template: Template, function: str) -> None:
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
    assert f"{function}Function" not in invoked, "the function itself would be served unpublished"
