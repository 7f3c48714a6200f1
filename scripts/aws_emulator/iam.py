"""The IAM actions and resources that a request needs, where ministack 1.5.33 differs from AWS.

Actions. ministack uses the name of the API operation, but some operations need another action:
- A PartiQL statement needs PartiQLInsert, PartiQLSelect, PartiQLUpdate or PartiQLDelete on its table.
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
- PublishBatch needs Publish: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
- A batch operation of SQS needs the action of the single operation.
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api.html
- A request for one alias or event source mapping needs the Get action; ministack checks the List action.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html

Resources. ministack checks some requests against more than AWS does:
- Reading a table's stream: that stream. Listing a table's streams: any of them.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
- A log group is `log-group:NAME:log-stream:STREAM`. STREAM is empty if the request names no stream.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
- A request for a KMS alias is authorized on its key.
  https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
- A new function, an alarm, a dashboard and a tagged resource are named in the body.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from ministack.core import iam_actions
from ministack.services import dynamodb_streams, kms

Checks = list[tuple[str, str]]
"""Pairs of an IAM action and a resource ARN that a request needs."""

_ACTION_OF_OPERATION = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
_PARTIQL_OPERATIONS = ("dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement")
_STATEMENT = re.compile(
    r"\s*(?:(?P<Insert>INSERT)\s+INTO|(?P<Select>SELECT)\s.*?\sFROM|(?P<Update>UPDATE)|(?P<Delete>DELETE)\s+FROM)"
    r'\s+"?(?P<table>[A-Za-z0-9_.-]+)"?',
    re.IGNORECASE | re.DOTALL,
)
# Required for a statement that cannot be parsed.
_EVERYTHING = ("dynamodb:*", "*")
_SINGLE = re.compile(r"/(aliases|event-source-mappings)/[^/]+/?$")
_SINGULAR = {"aliases": "Alias", "event-source-mappings": "EventSourceMapping"}
_VERBS = {"GET": "Get", "PUT": "Update", "DELETE": "Delete"}
# The resource of a request, by the field that names it.
_RESOURCE_OF_FIELD = {
    "lambda": {"FunctionName": "lambda:{region}:{account}:function:"},
    "monitoring": {
        "AlarmNames.member.1": "cloudwatch:{region}:{account}:alarm:",
        "DashboardName": "cloudwatch::{account}:dashboard/",
        "DashboardNames.member.1": "cloudwatch::{account}:dashboard/",
    },
}
_extract_iam_action = iam_actions.extract_iam_action
_extract_resource_arn = iam_actions.extract_resource_arn
_transaction_checks = iam_actions.dynamodb_transaction_checks


def patch() -> None:
    """Check the same actions and resources as AWS."""
    iam_actions.extract_iam_action = _action
    iam_actions.extract_resource_arn = _resource
    iam_actions.dynamodb_transaction_checks = _checks


def _action(service: str, method: str, path: str, *request: Any, **more: Any) -> str | None:
    if service == "lambda" and (single := _SINGLE.search(path)) and method in _VERBS:
        return f"lambda:{_VERBS[method]}{_SINGULAR[single[1]]}"
    action: str | None = _extract_iam_action(service, method, path, *request, **more)
    return _ACTION_OF_OPERATION.get(action, action) if action else None


def _resource(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> str:
    arn: str = _extract_resource_arn(service, method, path, headers, body, *more)
    if service == "dynamodbstreams":
        return _stream_arn(body, *more[-2:])
    if service == "logs" and "logGroupName" in (request := _request(body)):
        return f"{arn}:log-stream:{request.get('logStreamName', '')}"
    if service == "kms" and ":alias/" in arn:
        key = kms._resolve_key(arn)
        return str(key["Arn"]) if key else arn.replace(":alias/", ":key/")  # ministack has no keys of AWS
    if arn == "*" and not path.endswith("/event-source-mappings"):
        return _named_in(body, service, *more[-2:])
    return arn


def _named_in(body: bytes, service: str, region: str, account_id: str) -> str:
    """Return the ARN that a request names in a field that ministack does not read."""
    request = _request(body) or dict(parse_qsl(body.decode(errors="replace")))
    if arn := request.get("ResourceArn") or request.get("ResourceARN"):
        return str(arn)
    for field, kind in _RESOURCE_OF_FIELD.get(service, {}).items():
        if name := request.get(field):
            return f"arn:aws:{kind.format(region=region, account=account_id)}{name}"
    return "*"


def _stream_arn(body: bytes, region: str, account_id: str) -> str:
    """Return the ARN of the stream that a request reads, or of all streams of the table that it names."""
    request = _request(body)
    if table := request.get("TableName"):
        return f"arn:aws:dynamodb:{region}:{account_id}:table/{table}/stream/"
    if iterator := request.get("ShardIterator"):
        decoded = dynamodb_streams._decode_iterator(iterator) or {}
        return str(decoded.get("arn", "*"))
    return str(request.get("StreamArn", "*"))


def _request(body: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        if isinstance(request := json.loads(body), dict):
            return request
    return {}


def _checks(iam_action: str, body: bytes, region: str, account_id: str) -> Checks:
    if iam_action not in _PARTIQL_OPERATIONS:
        return list(_transaction_checks(iam_action, body, region, account_id))
    request = _request(body)
    try:
        return [_check(str(each["Statement"]), region, account_id) for each in request.get("Statements", [request])]
    except (KeyError, TypeError):
        return [_EVERYTHING]


def _check(text: str, region: str, account_id: str) -> tuple[str, str]:
    statement = _STATEMENT.match(text)
    if statement is None:
        return _EVERYTHING
    verb = next(name for name in ("Insert", "Select", "Update", "Delete") if statement[name])
    return f"dynamodb:PartiQL{verb}", f"arn:aws:dynamodb:{region}:{account_id}:table/{statement['table']}"
