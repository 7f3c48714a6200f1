"""AWS API calls on every part of the system that an attacker with a function's credentials could try.

Where possible the arguments are invalid, so that a wrongly authorized call fails validation and changes nothing.
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

OTHER_ACCOUNT = "210987654321"

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}


@dataclass(frozen=True)
class Attempt:
    """One call of an AWS API."""

    action: str
    """The IAM action that it needs, such as "sqs:SendMessage"."""
    subject: str
    """Its target, such as "queue orders"."""
    operation: str
    arguments: Mapping[str, Any] = field(repr=False)
    service: str

    def make(self, client: Callable[[str], Any]) -> None:
        """Make the call; raise ClientError if it is rejected."""
        getattr(client(self.service), xform_name(self.operation))(**self.arguments)

    def is_permitted_to(self, client: Callable[[str], Any]) -> bool:
        """Make the call; return whether the caller is authorized. Require that a denial names this action."""
        try:
            self.make(client)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                return True
            message = error.response["Error"]["Message"]
            assert f"not authorized to perform: {self.action.lower()}" in message.lower(), f"{self}: {message}"
            return False
        return True


Calls = Mapping[str, Mapping[str, Any]]

_POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
_EMPTY_KEY: Mapping[str, Any] = {}
_MISSING_ID = {"S": "nothing"}

_ON_A_QUEUE: Calls = {
    "SendMessage": {"MessageBody": ""},
    "ReceiveMessage": {"MaxNumberOfMessages": 11},
    "DeleteMessage": {"ReceiptHandle": "nothing"},
    "PurgeQueue": {},
    "GetQueueAttributes": {"AttributeNames": ["All"]},
    "SetQueueAttributes": {"Attributes": {"VisibilityTimeout": "-1"}},
    "AddPermission": {"Label": "other", "AWSAccountIds": [OTHER_ACCOUNT], "Actions": ["*"]},
}
_ON_A_TOPIC: Calls = {
    "Publish": {"Message": ""},
    "Subscribe": {"Protocol": "nothing", "Endpoint": "nothing"},
    "SetTopicAttributes": {"AttributeName": "nothing", "AttributeValue": ""},
    "DeleteTopic": {},
}
_ON_A_FUNCTION: Calls = {
    "Invoke": {"Qualifier": "live", "Payload": b"{"},
    "GetFunction": {},
    "UpdateFunctionCode": {"ZipFile": b""},
    "AddPermission": {"StatementId": "s", "Action": "*", "Principal": OTHER_ACCOUNT, "Qualifier": "nothing"},
}
_ON_A_LOG: Calls = {
    "CreateLogStream": {"logStreamName": ":"},
    "PutLogEvents": {"logStreamName": "nothing", "logEvents": [{"timestamp": 0, "message": "nothing"}]},
    "FilterLogEvents": {},
    "DeleteLogGroup": {},
}
_ON_A_ROLE: Calls = {
    "PutRolePolicy": {"PolicyName": "everything", "PolicyDocument": _POLICY},
    "UpdateAssumeRolePolicy": {"PolicyDocument": "{}"},
}
_ON_A_KEY: Calls = {
    "Decrypt": {"CiphertextBlob": b"nothing"},
    "Encrypt": {"Plaintext": b"order"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "DescribeKey": {},
    "CreateGrant": {"GranteePrincipal": f"arn:aws:iam::{OTHER_ACCOUNT}:root", "Operations": ["Decrypt"]},
    "PutKeyPolicy": {"PolicyName": "default", "Policy": "{}"},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 1},
}
_ON_A_TABLE: Calls = {
    "GetItem": {"Key": {"order_id": _MISSING_ID}},
    "Query": {"KeyConditionExpression": "order_id = :id", "ExpressionAttributeValues": {":id": _MISSING_ID}},
    "Scan": {},
    "PutItem": {"Item": _EMPTY_KEY},
    "UpdateItem": {"Key": _EMPTY_KEY},
    "DeleteItem": {"Key": _EMPTY_KEY},
    "UpdateTable": {"BillingMode": "NOTHING"},
    "DeleteTable": {},
}
_ON_THE_ACCOUNT: Mapping[str, Calls] = {
    "iam": {"CreateUser": {"UserName": "!"}, "CreateRole": {"RoleName": "!", "AssumeRolePolicyDocument": "{}"}},
    "dynamodb": {"ListTables": {}},
    "lambda": {"ListEventSourceMappings": {}},
    "cloudwatch": {"DeleteAlarms": {"AlarmNames": ["nothing"]}},
    "cloudformation": {"DeleteStack": {"StackName": "nothing"}},
    "secretsmanager": {"GetSecretValue": {"SecretId": "nothing"}},
}


def attempts_on(stack: DeployedStack, key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a deployed stack, and on a key of its account."""
    for queue in QUEUES:
        yield from _each("sqs", f"queue {queue}", _ON_A_QUEUE, QueueUrl=stack.queue_url(queue))
    for topic in TOPICS:
        yield from _each("sns", f"topic {topic}", _ON_A_TOPIC, TopicArn=stack.arn("sns", f"{stack.prefix}-{topic}"))
    yield from _on_the_table(stack)
    for function in FUNCTIONS:
        name, role = f"{stack.prefix}-{function}", stack.role(function)
        yield from _each("lambda", f"function {function}", _ON_A_FUNCTION, FunctionName=name)
        yield from _each("logs", f"log {function}", _ON_A_LOG, logGroupName=f"/aws/lambda/{name}")
        yield from _each("iam", f"role {function}", _ON_A_ROLE, RoleName=role.rpartition("/")[2])
        yield from _each("sts", f"role {function}", {"AssumeRole": {"RoleArn": role, "RoleSessionName": "attack"}})
    yield from attempts_on_key(key_id)
    for service, calls in _ON_THE_ACCOUNT.items():
        yield from _each(service, "account", calls)
    route = {"ApiId": urlsplit(stack.outputs["api_endpoint"]).netloc.split(".")[0], "RouteId": "nothing"}
    yield Attempt("apigateway:PATCH", "api", "UpdateRoute", route, "apigatewayv2")


def attempts_on_key(key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a KMS key."""
    yield from _each("kms", "key", _ON_A_KEY, KeyId=key_id)


def _each(service: str, subject: str, calls: Calls, **target: str) -> Iterator[Attempt]:
    for operation, arguments in calls.items():
        action = f"{service}:{'InvokeFunction' if operation == 'Invoke' else operation}"
        yield Attempt(action, subject, operation, {**target, **arguments}, service)


def _on_the_table(stack: DeployedStack) -> Iterator[Attempt]:
    name = stack.outputs["orders_table_name"]
    yield from _each("dynamodb", "table orders", _ON_A_TABLE, TableName=name)
    batches: Calls = {
        "BatchGetItem": {"RequestItems": {name: {"Keys": [{"order_id": _MISSING_ID}]}}},
        "BatchWriteItem": {"RequestItems": {name: [{"DeleteRequest": {"Key": _EMPTY_KEY}}]}},
    }
    yield from _each("dynamodb", "table orders", batches)
    for action, statement in {
        "PartiQLInsert": f'INSERT INTO "{name}" VALUE {{}}',
        "PartiQLSelect": f"SELECT * FROM \"{name}\" WHERE order_id = 'nothing'",
        "PartiQLUpdate": f"UPDATE \"{name}\" SET quantity = 1 WHERE order_id = 'nothing'",
        "PartiQLDelete": f"DELETE FROM \"{name}\" WHERE order_id = 'nothing'",
    }.items():
        statements = {"Statements": [{"Statement": statement}]}
        yield Attempt(f"dynamodb:{action}", "table orders", "BatchExecuteStatement", statements, "dynamodb")
    query = {"KeyConditionExpression": "customer_id = :id", "ExpressionAttributeValues": {":id": _MISSING_ID}}
    yield from _each("dynamodb", "index", {"Query": query}, TableName=name, IndexName="by_customer")
    streams = stack.client("dynamodbstreams")
    [stream] = [each["StreamArn"] for each in streams.list_streams(TableName=name)["Streams"]]
    [shard, *_] = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    position = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
    for operation, arguments in {
        "ListStreams": {"TableName": name},
        "DescribeStream": {"StreamArn": stream},
        "GetShardIterator": position,
        "GetRecords": {"ShardIterator": streams.get_shard_iterator(**position)["ShardIterator"]},
    }.items():
        yield Attempt(f"dynamodb:{operation}", "stream orders", operation, arguments, "dynamodbstreams")
