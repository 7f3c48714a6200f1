"""What somebody who took over a function would try, as data: every action worth having, on every part of the system.

The arguments are such that the service refuses them once the caller is authorized, wherever that is possible: an attempt
that should not have been permitted then still does no harm.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.exceptions import ClientError

from support.deployment.stack import DeployedStack

FUNCTIONS = ("submission", "processing", "status", "notification")
QUEUES = ("orders", "orders-dlq", "notifications-dlq")
TOPICS = ("alerts", "order-completed")
INDEX = "by_customer"

STRANGER = "210987654321"
"""An account that has nothing to do with the system."""

# How each service says it, in its own protocol.
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}


@dataclass(frozen=True)
class Attempt:
    """One call of an AWS API."""

    action: str
    """The IAM action that it needs, such as "sqs:SendMessage"."""
    subject: str
    """What it is tried on, such as "queue orders"."""
    service: str
    operation: str
    arguments: Mapping[str, Any] = field(repr=False)

    def make(self, client: Callable[[str], Any]) -> None:
        """Make the call with clients that `client` gives; raises ClientError where it is refused."""
        getattr(client(self.service), xform_name(self.operation))(**self.arguments)

    def is_permitted_to(self, client: Callable[[str], Any]) -> bool:
        """Make the call; return whether the caller whose clients these are may make it.

        A denial has to be of this very action, or the attempt proves nothing.
        """
        try:
            self.make(client)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                return True
            message = error.response["Error"]["Message"]
            assert f"not authorized to perform: {self.action.lower()}" in message.lower(), f"{self}: {message}"
            return False
        return True


_POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
_NO_KEY: Mapping[str, Any] = {}  # names no order, and is refused for that
_NOTHING = {"S": "nothing"}

_ON_A_QUEUE: Mapping[str, Mapping[str, Any]] = {
    "SendMessage": {"MessageBody": ""},
    "ReceiveMessage": {"MaxNumberOfMessages": 11},
    "DeleteMessage": {"ReceiptHandle": "nothing"},
    "ChangeMessageVisibility": {"ReceiptHandle": "nothing", "VisibilityTimeout": 0},
    "PurgeQueue": {},
    "GetQueueAttributes": {"AttributeNames": ["All"]},
    "SetQueueAttributes": {"Attributes": {"VisibilityTimeout": "-1"}},
    "AddPermission": {"Label": "stranger", "AWSAccountIds": [STRANGER], "Actions": ["*"]},
    "DeleteQueue": {},
}

_ON_A_TOPIC: Mapping[str, Mapping[str, Any]] = {
    "Publish": {"Message": ""},
    "Subscribe": {"Protocol": "nothing", "Endpoint": "nothing"},
    "GetTopicAttributes": {},
    "SetTopicAttributes": {"AttributeName": "nothing", "AttributeValue": ""},
    "AddPermission": {"Label": "stranger", "AWSAccountId": [STRANGER], "ActionName": ["*"]},
    "DeleteTopic": {},
}

_ON_A_FUNCTION: Mapping[str, Mapping[str, Any]] = {
    "Invoke": {"Qualifier": "live", "Payload": b"{"},
    "GetFunction": {},
    "UpdateFunctionCode": {"ZipFile": b""},
    "UpdateFunctionConfiguration": {"Runtime": "nothing"},
    "CreateAlias": {"Name": "!", "FunctionVersion": "999"},
    "PutFunctionConcurrency": {"ReservedConcurrentExecutions": 1_000_000},
    "AddPermission": {"StatementId": "s", "Action": "*", "Principal": STRANGER, "Qualifier": "nothing"},
    "CreateFunctionUrlConfig": {"AuthType": "NOTHING"},
    "DeleteFunction": {"Qualifier": "999"},
}

_ON_A_LOG: Mapping[str, Mapping[str, Any]] = {
    "CreateLogStream": {"logStreamName": ":"},
    "PutLogEvents": {"logStreamName": "nothing", "logEvents": [{"timestamp": 0, "message": "nothing"}]},
    "FilterLogEvents": {},
    "GetLogEvents": {"logStreamName": "nothing"},
    "PutRetentionPolicy": {"retentionInDays": 2},
    "DeleteLogStream": {"logStreamName": "nothing"},
    "DeleteLogGroup": {},
}

_ON_A_ROLE: Mapping[str, Mapping[str, Any]] = {
    "GetRolePolicy": {"PolicyName": "nothing"},
    "PutRolePolicy": {"PolicyName": "everything", "PolicyDocument": _POLICY},
    "AttachRolePolicy": {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "UpdateAssumeRolePolicy": {"PolicyDocument": "{}"},
    "DeleteRolePermissionsBoundary": {},
    "DeleteRole": {},
}

# With a key that is named, what is to be decrypted is looked at last.
_ON_A_KEY: Mapping[str, Mapping[str, Any]] = {
    "Decrypt": {"CiphertextBlob": b"nothing"},
    "Encrypt": {"Plaintext": b"order"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "DescribeKey": {},
    "CreateGrant": {"GranteePrincipal": f"arn:aws:iam::{STRANGER}:root", "Operations": ["Decrypt"]},
    "PutKeyPolicy": {"PolicyName": "default", "Policy": "{}"},
    "DisableKey": {},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 1},
}


def attempts_on(stack: DeployedStack, key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a deployed stack, and on a key of its account."""
    for queue in QUEUES:
        yield from _each("sqs", f"queue {queue}", _ON_A_QUEUE, QueueUrl=stack.queue_url(queue))
        yield Attempt(
            "sqs:StartMessageMoveTask",
            f"queue {queue}",
            "sqs",
            "StartMessageMoveTask",
            {"SourceArn": stack.arn("sqs", f"{stack.prefix}-{queue}")},
        )
    for topic in TOPICS:
        yield from _each("sns", f"topic {topic}", _ON_A_TOPIC, TopicArn=stack.arn("sns", f"{stack.prefix}-{topic}"))
    yield from _on_the_table(stack.outputs["orders_table_name"])
    yield from _on_the_stream(stack)
    for function in FUNCTIONS:
        name = f"{stack.prefix}-{function}"
        yield from _each("lambda", f"function {function}", _ON_A_FUNCTION, FunctionName=name)
        yield from _each("logs", f"log {function}", _ON_A_LOG, logGroupName=f"/aws/lambda/{name}")
        yield from _each("iam", f"role {function}", _ON_A_ROLE, RoleName=stack.role(function).rpartition("/")[2])
        yield Attempt(
            "sts:AssumeRole",
            f"role {function}",
            "sts",
            "AssumeRole",
            {"RoleArn": stack.role(function), "RoleSessionName": "taken-over"},
        )
    access_log = f"/aws/vendedlogs/apigateway/{stack.prefix}-orders"
    yield from _each("logs", "log access", _ON_A_LOG, logGroupName=access_log)
    yield from attempts_on_key(key_id)
    yield from _on_the_account(stack)


def attempts_on_key(key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a KMS key."""
    yield from _each("kms", "key", _ON_A_KEY, KeyId=key_id)


def _each(service: str, subject: str, calls: Mapping[str, Mapping[str, Any]], **named_by: str) -> Iterator[Attempt]:
    # One operation is not called what it needs.
    called = {"Invoke": "InvokeFunction"}
    for operation, arguments in calls.items():
        action = f"{service}:{called.get(operation, operation)}"
        yield Attempt(action, subject, service, operation, {**named_by, **arguments})


def _on_the_table(name: str) -> Iterator[Attempt]:
    table = "table orders"
    calls: Mapping[str, Mapping[str, Any]] = {
        "GetItem": {"Key": {"order_id": _NOTHING}},
        "Query": {"KeyConditionExpression": "order_id = :id", "ExpressionAttributeValues": {":id": _NOTHING}},
        "Scan": {},
        "PutItem": {"Item": _NO_KEY},
        "UpdateItem": {"Key": _NO_KEY},
        "DeleteItem": {"Key": _NO_KEY},
        "DescribeTable": {},
        "UpdateTable": {"BillingMode": "NOTHING"},
        "UpdateContinuousBackups": {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
        "CreateBackup": {"BackupName": "!!!"},
        "DeleteTable": {},
    }
    yield from _each("dynamodb", table, calls, TableName=name)
    several: Mapping[str, Mapping[str, Any]] = {
        "BatchGetItem": {"RequestItems": {name: {"Keys": [{"order_id": _NOTHING}]}}},
        "BatchWriteItem": {"RequestItems": {name: [{"DeleteRequest": {"Key": _NO_KEY}}]}},
    }
    yield from _each("dynamodb", table, several)
    statements = {
        "PartiQLInsert": f'INSERT INTO "{name}" VALUE {{}}',
        "PartiQLSelect": f"SELECT * FROM \"{name}\" WHERE order_id = 'nothing'",
        "PartiQLUpdate": f"UPDATE \"{name}\" SET quantity = 1 WHERE order_id = 'nothing'",
        "PartiQLDelete": f"DELETE FROM \"{name}\" WHERE order_id = 'nothing'",
    }
    for action, statement in statements.items():
        arguments = {"Statements": [{"Statement": statement}]}
        yield Attempt(f"dynamodb:{action}", table, "dynamodb", "BatchExecuteStatement", arguments)
    transaction = {"TransactItems": [{"Delete": {"TableName": name, "Key": _NO_KEY}}]}
    yield Attempt("dynamodb:DeleteItem", table, "dynamodb", "TransactWriteItems", transaction)
    query = {
        "TableName": name,
        "IndexName": INDEX,
        "KeyConditionExpression": "customer_id = :id",
        "ExpressionAttributeValues": {":id": _NOTHING},
    }
    yield Attempt("dynamodb:Query", "index", "dynamodb", "Query", query)


def _on_the_stream(stack: DeployedStack) -> Iterator[Attempt]:
    table = stack.outputs["orders_table_name"]
    stream = stack.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    streams = stack.client("dynamodbstreams")
    [shard, *_] = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    place: Mapping[str, Any] = {"ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
    iterator = streams.get_shard_iterator(StreamArn=stream, **place)["ShardIterator"]
    for operation, arguments in {
        "ListStreams": {"TableName": table},
        "DescribeStream": {"StreamArn": stream},
        "GetShardIterator": {"StreamArn": stream, **place},
        "GetRecords": {"ShardIterator": iterator},
    }.items():
        yield Attempt(f"dynamodb:{operation}", "stream orders", "dynamodbstreams", operation, arguments)


def _on_the_account(stack: DeployedStack) -> Iterator[Attempt]:
    account = "account"
    calls: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
        "iam": {
            "CreateUser": {"UserName": "!"},
            "CreateAccessKey": {"UserName": "nobody"},
            "CreateRole": {"RoleName": "!", "AssumeRolePolicyDocument": "{}"},
            "ListRoles": {},
        },
        "sqs": {"ListQueues": {}},
        "sns": {"ListTopics": {}, "ListSubscriptions": {}},
        "dynamodb": {"ListTables": {}},
        "lambda": {"ListFunctions": {}, "ListEventSourceMappings": {}},
        "kms": {"ListKeys": {}, "CreateKey": {"KeySpec": "NOTHING"}},
        "logs": {"DescribeLogGroups": {}},
        "cloudwatch": {
            "PutMetricData": {"Namespace": "AWS/SQS", "MetricData": [{"MetricName": "nothing", "Value": 0.0}]},
            "SetAlarmState": {"AlarmName": "nothing", "StateValue": "OK", "StateReason": "nothing"},
            "DisableAlarmActions": {"AlarmNames": ["nothing"]},
            "DeleteAlarms": {"AlarmNames": ["nothing"]},
        },
        "cloudformation": {"DescribeStacks": {}, "DeleteStack": {"StackName": "nothing"}},
        "ssm": {"GetParameter": {"Name": "nothing"}},
        "secretsmanager": {"GetSecretValue": {"SecretId": "nothing"}},
        "ec2": {"DescribeInstances": {}},
    }
    for service, operations in calls.items():
        yield from _each(service, account, operations)
    # Actions that are not called what the operation is.
    yield Attempt("s3:ListAllMyBuckets", account, "s3", "ListBuckets", {})
    api: Mapping[str, Any] = {"ApiId": urlsplit(stack.outputs["api_endpoint"]).netloc.split(".")[0]}
    for verb, operation, arguments in (
        ("GET", "GetApi", api),
        ("PATCH", "UpdateRoute", {**api, "RouteId": "nothing"}),
        ("DELETE", "DeleteRouteSettings", {**api, "StageName": "nothing", "RouteKey": "nothing"}),
        ("POST", "CreateRoute", {**api, "RouteKey": "nothing"}),
    ):
        yield Attempt(f"apigateway:{verb}", "api", "apigatewayv2", operation, arguments)
