"""What each variable changes in Terraform's plan. What no variable changes is compared with the template in test_parity.py."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.conftest import BOUNDARY, CERTIFICATE, ISSUER, KEY, OTHER_REGION, RUNBOOK_URL
from support.deployment.terraform import Plan, Resources, TerraformRoot
from support.repository.cloudformation import Template
from support.repository.files import REPOSITORY

PREFIX = "order-processing-dev"

ALARM = "module.monitoring.aws_cloudwatch_metric_alarm.this"
FUNCTIONS = ("submission", "processing", "status", "notification")

TAGS = {"Project": "order-processing", "Environment": "dev"}


@pytest.fixture(scope="module")
def resources(plan: Plan) -> Resources:
    return plan.resources


@pytest.fixture(scope="module")
def production(production_plan: Plan) -> Resources:
    return production_plan.resources


def assert_holds(actual: Mapping[str, Any], expected: Mapping[str, Any], why: str) -> None:
    """Assert that `actual` has all of `expected`; a block of Terraform may be given as the one in the list."""
    for name, value in expected.items():
        found = actual.get(name)
        if isinstance(value, dict) and isinstance(found, list):
            assert len(found) == 1, f"{name}: {why}"
            assert_holds(found[0], value, why)
        else:
            assert found == value, f"{name}: {why}"


# Storage


def test_table_is_protected_in_prod(resources: Resources, production: Resources) -> None:
    protection = "deletion_protection_enabled"
    assert resources["aws_dynamodb_table.orders"][protection] is False, "dev is thrown away"
    assert production["aws_dynamodb_table.orders"][protection] is True


# Messaging


def test_an_order_is_hidden_for_six_times_the_processing_timeout(resources: Resources, production: Resources) -> None:
    for deployed, timeout in ((resources, 30), (production, 60)):
        function = deployed["module.processing.aws_lambda_function.this"]
        queue = deployed["aws_sqs_queue.orders"]
        assert function["timeout"] == timeout, "the variable is the function's timeout"
        assert queue["visibility_timeout_seconds"] == 6 * timeout, "or a slow batch is handed out twice"


def test_alerts_and_completed_orders_go_to_the_chosen_subscribers(resources: Resources, production: Resources) -> None:
    def subscribed(deployed: Resources) -> dict[str, tuple[str, str]]:
        found = deployed.of_type("aws_sns_topic_subscription").items()
        return {address.partition(".")[2]: (each["protocol"], each["endpoint"]) for address, each in found}

    assert subscribed(resources) == {"alerts_email": ("email", "operations@example.com")}
    assert subscribed(production) == {
        "alerts_email": ("email", "operations@example.com"),
        "alerts_https[0]": ("https", "https://events.example.com/sns"),
        "order_completed_email[0]": ("email", "sales@example.com"),
    }


# Functions


def test_every_log_is_kept_for_as_long_as_was_chosen(production: Resources) -> None:
    kept = [log["retention_in_days"] for log in production.of_type("aws_cloudwatch_log_group").values()]
    assert kept == [365] * (len(FUNCTIONS) + 1), "each function's and the API's"


def test_no_concurrency_is_reserved_unless_asked_for(resources: Resources, production: Resources) -> None:
    for function in FUNCTIONS:
        address = f"module.{function}.aws_lambda_function.this"
        assert resources[address]["reserved_concurrent_executions"] == -1, f"{function} shares the pool"
    reserved = {
        function: production[f"module.{function}.aws_lambda_function.this"]["reserved_concurrent_executions"]
        for function in FUNCTIONS
    }
    assert reserved == {"submission": 40, "processing": 60, "status": -1, "notification": -1}


def test_what_a_customer_waits_for_starts_from_a_snapshot_if_asked_for(
    resources: Resources, production: Resources
) -> None:
    for function in FUNCTIONS:
        address = f"module.{function}.aws_lambda_function.this"
        assert resources[address]["snap_start"] == [], f"{function} is not paid for twice unless asked for"
        waited_for = function in ("submission", "status")
        chosen = [start["apply_on"] for start in production[address]["snap_start"]]
        assert chosen == (["PublishedVersions"] if waited_for else []), f"nobody waits for {function}, or somebody does"
        assert production[address]["publish"], "a snapshot is taken of a published version only"


def test_functions_are_traced_only_on_request(resources: Resources, production: Resources) -> None:
    for deployed, mode in ((resources, "PassThrough"), (production, "Active")):
        functions = [deployed[f"module.{function}.aws_lambda_function.this"] for function in FUNCTIONS]
        assert [each["tracing_config"] for each in functions] == [[{"mode": mode}]] * len(FUNCTIONS)


def test_mapping_concurrency_fits_a_new_account_by_default(resources: Resources, production: Resources) -> None:
    # A new account has 10 concurrent executions for all functions.
    for deployed, chosen in ((resources, 3), (production, 50)):
        [scaling] = deployed["aws_lambda_event_source_mapping.orders"]["scaling_config"]
        assert scaling["maximum_concurrency"] == chosen


def test_as_many_batches_of_a_shard_are_announced_at_once_as_were_chosen(
    resources: Resources, production: Resources
) -> None:
    mapping = "aws_lambda_event_source_mapping.stored_orders"
    assert_holds(resources[mapping], {"parallelization_factor": 1}, "the order of the stream, unless asked otherwise")
    assert_holds(production[mapping], {"parallelization_factor": 4}, "the variable's value")


# Entry point


def test_the_api_is_deployed_at_once_and_throttled(resources: Resources, production: Resources) -> None:
    for deployed, rate, burst in ((resources, 500, 1000), (production, 20, 30)):
        assert_holds(
            deployed["aws_apigatewayv2_stage.default"],
            {
                "name": "$default",
                "auto_deploy": True,
                "default_route_settings": {
                    "throttling_rate_limit": rate,
                    "throttling_burst_limit": burst,
                    "detailed_metrics_enabled": True,
                },
            },
            "a flood must not cost a fortune, and not everything either",
        )


def test_with_an_issuer_both_routes_ask_for_its_tokens(production: Resources) -> None:
    assert_holds(
        production["aws_apigatewayv2_authorizer.jwt[0]"],
        {
            "authorizer_type": "JWT",
            "identity_sources": ["$request.header.Authorization"],
            "jwt_configuration": {"issuer": ISSUER, "audience": ["shop", "till"]},
        },
        "the token's issuer and audience are looked at",
    )
    routes = production.of_type("aws_apigatewayv2_route")
    assert len(routes) == 2
    for address, route in routes.items():
        assert route["authorization_type"] == "JWT", address


def test_api_domain_replaces_the_default_endpoint(resources: Resources, production: Resources) -> None:
    assert resources["aws_apigatewayv2_api.orders"]["disable_execute_api_endpoint"] is False
    assert production["aws_apigatewayv2_api.orders"]["disable_execute_api_endpoint"] is True
    [domain] = production.of_type("aws_apigatewayv2_domain_name").values()
    assert domain["domain_name"] == "api.example.com"
    assert_holds(
        domain["domain_name_configuration"][0],
        {
            "certificate_arn": CERTIFICATE,
            "endpoint_type": "REGIONAL",
            "security_policy": "TLS_1_2",
            "ip_address_type": "dualstack",
        },
        "TLS 1.2 or newer, over IPv4 and IPv6",
    )
    records = production.of_type("aws_route53_record").values()
    assert {(each["name"], each["type"], each["zone_id"]) for each in records} == {
        ("api.example.com", kind, "Z0123456789ABCDEFGHIJ") for kind in ("A", "AAAA")
    }
    optional = ("aws_apigatewayv2_domain_name", "aws_apigatewayv2_api_mapping", "aws_route53_record")
    assert not any(resources.of_type(kind) for kind in optional)


def test_a_route_has_limits_of_its_own_where_they_were_chosen(resources: Resources, production: Resources) -> None:
    assert resources["aws_apigatewayv2_stage.default"]["route_settings"] == [], "the stage's are each route's"
    settings = {each["route_key"]: each for each in production["aws_apigatewayv2_stage.default"]["route_settings"]}
    assert settings.keys() == {"POST /orders", "GET /orders/{order_id}"}
    for route, rate, burst in (("POST /orders", 10, 30), ("GET /orders/{order_id}", 20, 15)):
        assert_holds(
            settings[route],
            {
                "throttling_rate_limit": rate,
                "throttling_burst_limit": burst,
                "detailed_metrics_enabled": True,
            },
            f"what is not chosen for {route} is the stage's",
        )


def test_browsers_may_call_the_api_from_the_origins_that_were_chosen(
    resources: Resources, production: Resources
) -> None:
    for deployed, origins, more_headers in (
        (resources, ["*"], []),
        (production, ["https://shop.example.com"], ["authorization"]),
    ):
        [cors] = deployed["aws_apigatewayv2_api.orders"]["cors_configuration"]
        assert {name: sorted(value) if isinstance(value, list) else value for name, value in cors.items()} == {
            "allow_origins": origins,
            "allow_methods": ["GET", "POST"],
            "allow_headers": [*more_headers, "content-type", "idempotency-key"],
            "expose_headers": ["location", "retry-after"],
            "max_age": 3600,
            "allow_credentials": None,
        }


# Monitoring. What raises each alarm is in tests/unit/test_local_stack_alarms.py.


def test_alarm_thresholds_are_those_chosen(resources: Resources, production: Resources) -> None:
    def thresholds(deployed: Resources) -> dict[str, float]:
        alarms = deployed.of_type("aws_cloudwatch_metric_alarm").values()
        return {alarm["alarm_name"].split("-", 3)[3]: alarm["threshold"] for alarm in alarms}

    chosen = {"api-slow": 1500, "orders-flood": 100, "api-flood": 1000, "api-4xx": 50}
    assert chosen.items() <= thresholds(production).items()
    defaults = {"api-slow": 3000, "orders-flood": 600, "api-flood": 6000, "api-4xx": 300}
    assert defaults.items() <= thresholds(resources).items()
    assert thresholds(production).keys() - thresholds(resources).keys() == {"no-orders"}, "only on request"


def test_failure_alarms_look_back_as_far_as_the_templates(resources: Resources, production: Resources) -> None:
    for planned, seconds in ((resources, "30"), (production, "60")):
        template = Template.read().resources(NotificationEmail="a@example.com", ProcessingTimeoutSeconds=seconds)
        for name, logical_id in (("failing", "ProcessingFailingAlarm"), ("errors", "ProcessingErrorsAlarm")):
            periods = planned[f'{ALARM}["processing-{name}"]']["evaluation_periods"]
            assert periods == template[logical_id]["Properties"]["EvaluationPeriods"], (name, seconds)


def test_every_alarm_fits_into_cloudwatch_with_its_link_whatever_the_names(production: Resources) -> None:
    prefix, longest_prefix = "order-processing-prod", f"{'p' * 25}-staging"
    for address, alarm in production.of_type("aws_cloudwatch_metric_alarm").items():
        description = alarm["alarm_description"].replace(prefix, longest_prefix)
        assert RUNBOOK_URL in description, address
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert len(description) <= 1024, address


# Encryption with a customer's key


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_sqs_queue", "kms_master_key_id"),
        ("aws_sns_topic", "kms_master_key_id"),
        ("aws_cloudwatch_log_group", "kms_key_id"),
        ("aws_lambda_function", "kms_key_arn"),
    ],
)
def test_a_customers_key_reaches_every_store(production: Resources, kind: str, attribute: str) -> None:
    stores = production.of_type(kind)
    assert stores, f"there are resources of type {kind}"
    for address, values in stores.items():
        assert values[attribute] == KEY, f"{address} is encrypted with the customer's key"


def test_a_customers_key_encrypts_the_table(production: Resources) -> None:
    assert_holds(
        production["aws_dynamodb_table.orders"],
        {"server_side_encryption": {"enabled": True, "kms_key_arn": KEY}},
        "orders are what the key is for",
    )


def _uses_of_keys(plan: Plan, function: str) -> dict[str, tuple[set[str], list[str]]]:
    """Return what a function's role may do with KMS and with which keys, by Sid."""
    documents = (f"data.aws_iam_policy_document.{function}", f"module.{function}.data.aws_iam_policy_document.this")
    return {
        statement["sid"]: (set(statement["actions"]), statement["resources"])
        for document in documents
        for statement in plan.data[document]["statement"]
        if any(action.startswith("kms:") for action in statement["actions"])
    }


def test_each_role_may_use_a_customers_key_for_what_its_function_does(production_plan: Plan) -> None:
    decrypt = {"DecryptWithCustomerKey": ({"kms:Decrypt"}, [KEY])}
    expected = {
        "submission": {**decrypt, "EncryptQueuedOrders": ({"kms:GenerateDataKey"}, [KEY])},
        "processing": {
            **decrypt,
            "EncryptStoredOrders": ({"kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}, [KEY]),
        },
        "status": decrypt,
        "notification": {**decrypt, "EncryptNotifications": ({"kms:GenerateDataKey"}, [KEY])},
    }
    assert {function: _uses_of_keys(production_plan, function) for function in FUNCTIONS} == expected


def test_without_a_customers_key_no_role_may_use_any(plan: Plan) -> None:
    for function in FUNCTIONS:
        assert _uses_of_keys(plan, function) == {}, f"{function} has no key to use"


def test_without_a_customers_key_the_alerts_can_still_be_published(resources: Resources) -> None:
    for address, topic in resources.of_type("aws_sns_topic").items():
        assert topic["kms_master_key_id"] is None, f"CloudWatch may not use AWS's key for SNS: {address}"


# Deployments side by side


def test_every_role_is_bounded_where_the_account_demands_it(resources: Resources, production: Resources) -> None:
    assert {role["permissions_boundary"] for role in production.of_type("aws_iam_role").values()} == {BOUNDARY}
    assert {role["permissions_boundary"] for role in resources.of_type("aws_iam_role").values()} == {None}


NAMES = ("name", "function_name", "alarm_name", "dashboard_name")


def _names(resources: Resources) -> set[str]:
    return {values[name] for values in resources.values() for name in NAMES if name in values}


# Names within something that has a name of its own.
LOCAL_NAMES = {
    "$default",
    "live",
    "OrdersAccepted",
    "OrdersRefused",
    "OrdersRefusedByCode",
    "OrdersStored",
    "OrdersDuplicate",
    "OrdersConflict",
    "OrdersFailed",
    "OrdersDeadLettered",
    "OrdersNotified",
    "SubmissionFailed",
    "ProcessingFailed",
    "ProcessingFailedByOrder",
    "StatusFailed",
    "NotificationFailed",
}


def test_two_environments_share_no_name(resources: Resources, production: Resources) -> None:
    assert _names(resources) & _names(production) == LOCAL_NAMES, "two copies live in one account"


def test_the_same_deployment_in_two_regions_shares_no_role(resources: Resources, production: Resources) -> None:
    # IAM knows no region, so the name must.
    for deployed, prefix, region in (
        (resources, PREFIX, "eu-west-1"),
        (production, "order-processing-prod", OTHER_REGION),
    ):
        names = {role["name"] for role in deployed.of_type("aws_iam_role").values()}
        assert names == {f"{prefix}-{function}-{region}" for function in FUNCTIONS}


def test_everything_that_can_carry_tags_has_project_and_environment(resources: Resources) -> None:
    tagged = {address: values["tags_all"] for address, values in resources.items() if "tags_all" in values}
    assert len(tagged) > 30, "most resources carry tags"
    for address, tags in tagged.items():
        assert tags == TAGS, address


# The source


def test_the_folder_is_formatted(backend: TerraformRoot) -> None:
    assert backend.unformatted() == [], "run `terraform fmt -recursive`"


def _code() -> dict[str, str]:
    """Return the configuration without its comments and texts for people, by file."""
    folder = REPOSITORY / "terraform-backend"
    comment = r"#[^\n]*"
    text = r"\b(description|error_message)\s*=(?:\s*<<-EOT\n.*?\n\s*EOT\n|[^\n]*)"
    for_people = re.compile(f"{comment}|{text}", re.DOTALL)
    return {str(path.relative_to(folder)): for_people.sub("", path.read_text()) for path in folder.rglob("*.tf")}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a region", r"\b(us|eu|ap|ca|sa|me|af|il|mx|cn)(-gov|-iso\w?)?-[a-z]+-\d\b"),
        ("an account", r"\b\d{12}\b"),
        ("a partition", r"\barn:aws[a-z-]*:"),
        ("an endpoint", r"\bendpoints?\s*\{|localhost|skip_(credentials|metadata|region|requesting)"),
        ("a provisioner", r"\bprovisioner\b|\bnull_resource\b"),
    ],
    ids=["region", "account", "partition", "endpoint", "provisioner"],
)
def test_nothing_is_tied_to(what: str, pattern: str) -> None:
    # A validation may say what an ARN looks like.
    found = {
        path: match[0]
        for path, text in _code().items()
        for line in text.splitlines()
        if "regex(" not in line and (match := re.search(pattern, line))
    }
    assert found == {}, f"{what} is named"
