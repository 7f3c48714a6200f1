"""The effect of optional variables on Terraform's plan.

test_parity.py compares all settings with the template, except those that the emulator ignores or that only a default shows.
"""

import lzma
import re
from pathlib import Path
from typing import Any

import pytest

from infrastructure.conftest import BOUNDARY, KEY, OTHER_REGION, RUNBOOK_URL
from support.deployment.emulator import Emulator
from support.deployment.terraform import Plan, Resources, TerraformRoot
from support.repository.cloudformation import REGION, TEMPLATE
from support.repository.files import REPOSITORY

FUNCTIONS = ("submission", "processing", "status", "notification")
ALARM = "module.monitoring.aws_cloudwatch_metric_alarm.this"
API = "aws_apigatewayv2_api.orders"

# Path below a resource or below all resources of a type, its default, and its value in the plan with every option.
SETTINGS: list[tuple[str, Any, Any]] = [
    ("aws_dynamodb_table.orders/deletion_protection_enabled", False, True),
    ("aws_dynamodb_table.orders/server_side_encryption/0/enabled", True, True),
    # With the AWS managed key for SNS, CloudWatch cannot publish alarms.
    ("aws_dynamodb_table.orders/server_side_encryption/0/kms_key_arn", None, KEY),
    ("aws_sqs_queue/kms_master_key_id", None, KEY),
    ("aws_sns_topic/kms_master_key_id", None, KEY),
    ("aws_cloudwatch_log_group/kms_key_id", None, KEY),
    ("aws_lambda_function/kms_key_arn", None, KEY),
    ("aws_iam_role/permissions_boundary", None, BOUNDARY),
    ("aws_sqs_queue.orders/visibility_timeout_seconds", 180, 380),
    ("module.submission.aws_lambda_function.this/reserved_concurrent_executions", -1, 40),
    ("module.processing.aws_lambda_function.this/reserved_concurrent_executions", -1, 50),
    ("module.status.aws_lambda_function.this/reserved_concurrent_executions", -1, -1),
    ("module.notification.aws_lambda_function.this/reserved_concurrent_executions", -1, -1),
    ("module.submission.aws_lambda_function.this/snap_start/0/apply_on", None, "PublishedVersions"),
    ("module.status.aws_lambda_function.this/snap_start/0/apply_on", None, "PublishedVersions"),
    ("module.processing.aws_lambda_function.this/snap_start/0", None, None),
    # Submission's variables are known only after apply; test_parity.py checks them.
    ("module.status.aws_lambda_function.this/environment/0/variables/JWT_CUSTOMER_CLAIM", None, "custom:customer"),
    # A new account has 10 concurrent executions for all functions.
    ("aws_lambda_event_source_mapping.orders/scaling_config/0/maximum_concurrency", 3, 50),
    ("aws_apigatewayv2_route/authorization_type", "NONE", "JWT"),
    (f"{API}/disable_execute_api_endpoint", False, True),
    (f'{ALARM}["processing-failing"]/evaluation_periods', 10, 16),
    (f'{ALARM}["processing-errors"]/evaluation_periods', 6, 9),
]

# Resources that exist only with an option.
OPTIONAL = {
    "aws_apigatewayv2_authorizer.jwt[0]",
    "aws_apigatewayv2_domain_name.orders[0]",
    "aws_apigatewayv2_api_mapping.orders[0]",
    'aws_route53_record.orders["A"]',
    'aws_route53_record.orders["AAAA"]',
    "aws_sns_topic_subscription.alerts_https[0]",
    "aws_sns_topic_subscription.order_completed_email[0]",
    f'{ALARM}["no-orders"]',
}


@pytest.mark.parametrize(("path", "default", "chosen"), SETTINGS)
def test_variable_sets_its_attribute(plan: Plan, production_plan: Plan, path: str, default: Any, chosen: Any) -> None:
    for deployed, expected in ((plan, default), (production_plan, chosen)):
        found = deployed.resources.at(path)
        assert found == [expected] * (len(found) or 1)


def test_optional_resources_exist_only_when_chosen(plan: Plan, production_plan: Plan) -> None:
    resources, production = plan.resources, production_plan.resources
    assert production.keys() - resources.keys() == OPTIONAL
    assert resources.keys() <= production.keys()
    assert resources["aws_apigatewayv2_stage.default"]["route_settings"] == []
    settings = production["aws_apigatewayv2_stage.default"]["route_settings"]
    limits = {each["route_key"]: (each["throttling_rate_limit"], each["throttling_burst_limit"]) for each in settings}
    assert limits == {"POST /orders": (10, 30), "GET /orders/{order_id}": (20, 15)}
    assert set(resources[API]["cors_configuration"][0]["allow_headers"]) == {"content-type", "idempotency-key"}


def test_destroy_deletes_the_table_before_the_queues(plan: Plan) -> None:
    # If the table is protected, its deletion fails first, and the queues keep their orders.
    [table] = [each for each in plan.configuration["resources"] if each["address"] == "aws_dynamodb_table.orders"]
    assert set(table["depends_on"]) == {"aws_sqs_queue.orders", "aws_sqs_queue.orders_dlq"}


def test_alarm_description_fits_cloudwatch_when_names_are_longest(production_plan: Plan) -> None:
    for address, alarm in production_plan.resources.of_type("aws_cloudwatch_metric_alarm").items():
        description = alarm["alarm_description"].replace("order-processing-prod", f"{'p' * 25}-staging")
        assert RUNBOOK_URL in description, address
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert len(description) <= 1024, address


def test_roles_may_use_the_customer_key_only_when_chosen(plan: Plan, production_plan: Plan) -> None:
    for planned, keys in ((plan, set()), (production_plan, {KEY})):
        statements = [each for document in planned.data.values() for each in document.get("statement") or []]
        with_kms = [each for each in statements if any(action.startswith("kms:") for action in each["actions"])]
        assert {resource for each in with_kms for resource in each["resources"]} == keys


def test_environments_and_regions_share_no_name(plan: Plan, production_plan: Plan) -> None:
    resources, production = plan.resources, production_plan.resources

    def names(deployed: Resources) -> set[str]:
        kinds = ("name", "function_name", "alarm_name", "dashboard_name")
        # These names are unique only within a log group, a function or an API.
        local = [*deployed.of_type("aws_cloudwatch_log_metric_filter").values(), {"name": "live"}, {"name": "$default"}]
        local_names = {each["name"] for each in local}
        return {values[kind] for values in deployed.values() for kind in kinds if kind in values} - local_names

    assert len(names(resources)) > 30
    assert names(resources) & names(production) == set()
    for deployed, prefix, region in ((resources, "dev", REGION), (production, "prod", OTHER_REGION)):
        roles = {role["name"] for role in deployed.of_type("aws_iam_role").values()}  # roles are global
        assert roles == {f"order-processing-{prefix}-{function}-{region}" for function in FUNCTIONS}


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b(us|eu|ap|ca|sa|me|af|il|mx|cn)(-gov|-iso\w?)?-[a-z]+-\d\b",
        r"\b\d{12}\b",
        r"\barn:aws[a-z-]*:",
        r"\bendpoints?\s*\{|localhost|skip_(credentials|metadata|region|requesting)",
        r"\bprovisioner\b|\bnull_resource\b",
    ],
    ids=["region", "account", "partition", "endpoint", "provisioner"],
)
def test_neither_deployment_hardcodes(pattern: str) -> None:
    prose = r"#[^\n]*|\w+\s*=\s*<<-EOT\n.*?\n\s*EOT\n|\b(description|error_message)\s*=[^\n]*|[^\n]*regex\([^\n]*"
    code = [re.sub(f"(?s){prose}", "", path.read_text()) for path in REPOSITORY.glob("terraform-backend/**/*.tf")]
    text = re.sub(r"(?m)(^|\s)#.*$", "", TEMPLATE.read_text())
    prose = r"(?m)^( *)(Description|ConstraintDescription|AlarmDescription|AllowedPattern): .*\n(?:(?:\1 +.*)?\n)*"
    assert [match[0] for each in [*code, re.sub(prose, "", text)] for match in re.finditer(pattern, each)] == []


# The state comes from commit 05faa3a, applied to the emulator, without local paths and data sources.
EARLIER_STATE = Path(__file__).parent / "state_of_05faa3a.json.xz"

# Order e-mails are now off by default, because they can silence the alarms. Rejected orders are counted by code in the
# log.
DELETED = {
    "aws_sns_topic_subscription.order_completed_email[0]",
    'module.monitoring.aws_cloudwatch_log_metric_filter.this["OrdersRefusedByCode"]',
}


def test_earlier_deployment_is_updated_in_place(emulator: Emulator, variables: dict[str, Any], tmp_path: Path) -> None:
    root = TerraformRoot(REPOSITORY / "terraform-backend", tmp_path / "terraform", emulator.environment)
    (root.directory / "terraform.tfstate").write_bytes(lzma.decompress(EARLIER_STATE.read_bytes()))
    actions = root.planned_actions({**variables, "no_orders_alarm_minutes": 60})
    assert {address for address, action in actions.items() if action in ("delete", "replace")} == DELETED
    kept = {"aws_dynamodb_table.orders", "aws_sns_topic.alerts", "aws_sns_topic.order_completed"}
    assert not kept & actions.keys(), "these resources must not change"
    assert {action for address, action in actions.items() if address.startswith("aws_sqs_queue.")} <= {"update"}
