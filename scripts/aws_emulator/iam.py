"""Which IAM actions a request needs, where ministack 1.5.33 differs from AWS.

ministack asks for an action by the name of the API operation. Some operations have no action of that name on AWS, so
no policy written for AWS would grant it:

- A PartiQL statement needs PartiQLInsert, PartiQLSelect, PartiQLUpdate or PartiQLDelete on the table it names.
  Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
- PublishBatch needs Publish.
  Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
"""

import json
import re
from typing import Any

from ministack.core import iam_actions

Checks = list[tuple[str, str]]
"""What one request needs: pairs of IAM action and resource ARN."""

_ACTION_OF_OPERATION = {"sns:PublishBatch": "sns:Publish"}
_PARTIQL_OPERATIONS = ("dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement")
_STATEMENT = re.compile(
    r"\s*(?:(?P<insert>INSERT)\s+INTO|(?P<select>SELECT)\s.*?\sFROM|(?P<update>UPDATE)|(?P<delete>DELETE)\s+FROM)"
    r'\s+"?(?P<table>[A-Za-z0-9_.-]+)"?',
    re.IGNORECASE | re.DOTALL,
)
_extract_iam_action = iam_actions.extract_iam_action
_transaction_checks = iam_actions.dynamodb_transaction_checks


def mend_iam() -> None:
    """Replace what ministack asks for by what AWS asks for."""
    iam_actions.extract_iam_action = _action
    iam_actions.dynamodb_transaction_checks = _checks


def _action(*request: Any, **more: Any) -> str | None:
    action: str | None = _extract_iam_action(*request, **more)
    return _ACTION_OF_OPERATION.get(action, action) if action else None


def _checks(iam_action: str, body: bytes, region: str, account_id: str) -> Checks:
    if iam_action in _PARTIQL_OPERATIONS:
        return partiql_checks(body, region, account_id)
    checks: Checks = _transaction_checks(iam_action, body, region, account_id)
    return checks


def partiql_checks(body: bytes, region: str, account_id: str) -> Checks:
    """Return what the PartiQL statements of a request need.

    A statement that cannot be read needs everything.
    """
    try:
        request = json.loads(body)
        texts = [str(each["Statement"]) for each in request.get("Statements", [request])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [("dynamodb:*", "*")]
    return [_check(text, region, account_id) for text in texts]


def _check(text: str, region: str, account_id: str) -> tuple[str, str]:
    statement = _STATEMENT.match(text)
    if statement is None:
        return "dynamodb:*", "*"
    verb = next(name for name in ("insert", "select", "update", "delete") if statement[name])
    return (
        f"dynamodb:PartiQL{verb.capitalize()}",
        f"arn:aws:dynamodb:{region}:{account_id}:table/{statement['table']}",
    )
