"""docs/kms-key-policy.json allows only the services that need the key; the event selectors in docs/ log all changes.

The emulator's policy engine evaluates the policy for the requests that the services make.
"""

import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

from support.repository.files import REPOSITORY

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def key_policy(account: str = ACCOUNT, region: str = REGION) -> str:
    """Return the documented policy with its placeholders filled in."""
    text = (REPOSITORY / "docs" / "kms-key-policy.json").read_text()
    return text.replace("ACCOUNT", account).replace("REGION", region).replace("PARTITION", "aws")


def is_allowed(action: str, caller: str, context: dict[str, str]) -> bool:
    """Return whether the policy allows a call by an AWS service or by the principal with this ARN."""
    is_principal = caller.startswith("arn:")
    principal = caller if is_principal else "arn:aws:iam::000000000000:service"
    request = EvalContext(
        principal_arn=principal,
        principal_type="User",
        principal_account=principal.split(":")[4],
        action=action,
        resource_arn=KEY,
        region=REGION,
        service_context={key.lower(): value for key, value in context.items()},
    )
    evaluated = evaluate_resource_policy(key_policy(), request, service=None if is_principal else caller)
    return str(evaluated.decision) == "Allow"


def _log(account: str = ACCOUNT, region: str = REGION) -> dict[str, str]:
    name = "/aws/lambda/order-processing-dev-submission"
    return {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:{name}"}


LOGS, CLOUDWATCH = f"logs.{REGION}.amazonaws.com", "cloudwatch.amazonaws.com"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
BY_LOGS = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey")

ALLOWED: list[tuple[str, str, dict[str, str]]] = [
    *((action, LOGS, _log()) for action in (*BY_LOGS, "kms:DescribeKey")),
    # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    *((action, CLOUDWATCH, {}) for action in ("kms:Decrypt", "kms:GenerateDataKey")),
    ("kms:CreateGrant", f"arn:aws:iam::{ACCOUNT}:role/deployer", {}),
    ("kms:Decrypt", f"arn:aws:sts::{ACCOUNT}:assumed-role/order-processing-dev-status/s", {}),
]

DENIED: list[tuple[str, str, dict[str, str]]] = [
    *((action, LOGS, _log(account=OTHER_ACCOUNT)) for action in BY_LOGS),
    *((action, LOGS, _log(region="us-east-1")) for action in BY_LOGS),
    *((action, LOGS, {}) for action in BY_LOGS),
    ("kms:GenerateDataKey", "logs.us-east-1.amazonaws.com", _log()),
    ("kms:CreateGrant", LOGS, _log()),
    *((action, CLOUDWATCH, {}) for action in ("kms:Encrypt", "kms:CreateGrant", "kms:PutKeyPolicy")),
    ("kms:Decrypt", "sns.amazonaws.com", {}),
    ("kms:Decrypt", f"arn:aws:iam::{OTHER_ACCOUNT}:root", {}),
    ("kms:Decrypt", f"arn:aws:iam::{OTHER_ACCOUNT}:role/admin", {}),
]


@pytest.mark.parametrize("request_", [*ALLOWED, *DENIED], ids=str)
def test_key_policy_allows_only_logs_alarms_and_identities_of_the_account(
    request_: tuple[str, str, dict[str, str]],
) -> None:
    assert is_allowed(*request_) == (request_ in ALLOWED)


def test_key_policy_has_only_the_documented_placeholders() -> None:
    statements: list[Any] = json.loads(key_policy())["Statement"]
    assert {statement["Resource"] for statement in statements} == {"*"}
    assert not re.search(r"ACCOUNT|REGION|PARTITION", key_policy())
    assert "arn:aws" not in (REPOSITORY / "docs" / "kms-key-policy.json").read_text(), "ARNs differ per partition"


def test_event_selectors_log_every_message_and_every_change_of_an_order() -> None:
    text = (REPOSITORY / "docs" / "cloudtrail-event-selectors.json").read_text()
    assert "arn:aws" not in text
    selectors = json.loads(text)
    operation = botocore.session.get_session().get_service_model("cloudtrail").operation_model("PutEventSelectors")
    report = ParamValidator().validate(
        {"TrailName": "trail", "AdvancedEventSelectors": selectors}, operation.input_shape
    )
    assert not report.has_errors(), report.generate_report()
    [[queue], [table]] = [selector["FieldSelectors"][1]["Equals"] for selector in selectors]
    assert (queue, table) == ("AWS::SQS::Queue", "AWS::DynamoDB::Table")
    [logged] = [set(field["Equals"]) for field in selectors[1]["FieldSelectors"] if field["Field"] == "eventName"]
    dynamodb = botocore.session.get_session().get_service_model("dynamodb")
    changes = re.compile(r"(Put|Update|Delete|BatchWrite|TransactWrite)Items?|(Batch)?Execute(Statement|Transaction)")
    assert {name for name in dynamodb.operation_names if changes.fullmatch(name)} <= logged
