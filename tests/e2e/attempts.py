"""AWS API calls on every part of the system that an attacker with a function's credentials could try.

The arguments are the smallest that the SDK accepts. Most are invalid, so a wrongly authorized call changes nothing.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.exceptions import ClientError

from local_stack.aws import AwsConnection, Credentials
from support.deployment.stack import DeployedStack

FUNCTIONS = ("submission", "processing", "status", "notification")
QUEUES = ("orders", "orders-dlq", "notifications-dlq")
TOPICS = ("alerts", "order-completed")

Client = Callable[[str], Any]
"""Makes the boto3 client of a service."""

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}

# The operations that are tried on each kind of target.
_QUEUE = "SendMessage ReceiveMessage DeleteMessage PurgeQueue GetQueueAttributes SetQueueAttributes AddPermission"
_TOPIC = "Publish Subscribe SetTopicAttributes DeleteTopic"
_TABLE = "GetItem Query Scan PutItem UpdateItem DeleteItem UpdateTable DeleteTable"
_FUNCTION = "Invoke GetFunction UpdateFunctionCode AddPermission"
_LOG = "CreateLogStream PutLogEvents FilterLogEvents DeleteLogGroup"
_ROLE = "PutRolePolicy UpdateAssumeRolePolicy"
_KEY = "Decrypt Encrypt GenerateDataKey DescribeKey CreateGrant PutKeyPolicy ScheduleKeyDeletion"
_ACCOUNT = {
    "iam": "CreateUser CreateRole",
    "dynamodb": "ListTables",
    "lambda": "ListEventSourceMappings",
    "cloudwatch": "DeleteAlarms",
    "cloudformation": "DeleteStack",
    "secretsmanager": "GetSecretValue",
}
_MORE_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "ReceiveMessage": {"MaxNumberOfMessages": 11},
    "Invoke": {"Qualifier": "live"},
}


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

    def make(self, client: Client) -> None:
        """Make the call; raise ClientError if it is rejected."""
        service = client(self.service)
        smallest = _smallest(service.meta.service_model.operation_model(self.operation).input_shape)
        more = _MORE_ARGUMENTS.get(self.operation, {})
        getattr(service, xform_name(self.operation))(**{**smallest, **more, **self.arguments})

    def is_permitted_to(self, client: Client) -> bool:
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


def new_user(stack: DeployedStack, *statements: Mapping[str, Any]) -> Credentials:
    """Create an IAM user with a policy of these statements; return its credentials."""
    iam, name = stack.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def clients_of_role(connection: AwsConnection, role_arn: str) -> Client:
    # The emulator lets the account's owner assume a role that trusts a service.
    keys = connection.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    return replace(connection, credentials=credentials).client


def _smallest(shape: Any) -> Any:
    """Return the smallest value that botocore accepts for a type of its model; texts consist of invalid characters."""
    length = shape.metadata.get("min", 0)
    match shape.type_name:
        case "structure":
            return {name: _smallest(shape.members[name]) for name in shape.required_members}
        case "list":
            return [_smallest(shape.member)] * length
        case "map":
            return {}
        case "blob":
            return b":" * length
        case "string":
            return ":" * length
        case _:  # a number
            return length


def attempts_on(stack: DeployedStack, key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a deployed stack, and on a key of its account."""
    for queue in QUEUES:
        yield from _each("sqs", f"queue {queue}", _QUEUE, QueueUrl=stack.queue_url(queue))
    for topic in TOPICS:
        arn = stack.arn("sns", f"{stack.prefix}-{topic}")
        yield from _each("sns", f"topic {topic}", _TOPIC, TopicArn=arn)
    yield from _on_the_table(stack)
    for function in FUNCTIONS:
        name, role = f"{stack.prefix}-{function}", stack.role(function)
        yield from _each("lambda", f"function {function}", _FUNCTION, FunctionName=name)
        yield from _each("logs", f"log {function}", _LOG, logGroupName=f"/aws/lambda/{name}")
        yield from _each("iam", f"role {function}", _ROLE, RoleName=role.rpartition("/")[2])
        yield from _each("sts", f"role {function}", "AssumeRole", RoleArn=role)
    yield from attempts_on_key(key_id)
    for service, operations in _ACCOUNT.items():
        yield from _each(service, "account", operations)
    api = urlsplit(stack.outputs["api_endpoint"]).netloc.split(".")[0]
    yield Attempt("apigateway:PATCH", "api", "UpdateRoute", {"ApiId": api}, "apigatewayv2")


def attempts_on_key(key_id: str) -> Iterator[Attempt]:
    """Yield all attempts on a KMS key."""
    yield from _each("kms", "key", _KEY, KeyId=key_id)


def _each(service: str, subject: str, operations: str, **arguments: Any) -> Iterator[Attempt]:
    for operation in operations.split():
        action = f"{service}:{'InvokeFunction' if operation == 'Invoke' else operation}"
        yield Attempt(action, subject, operation, arguments, service)


def _on_the_table(stack: DeployedStack) -> Iterator[Attempt]:
    name = stack.outputs["orders_table_name"]
    yield from _each("dynamodb", "table orders", _TABLE, TableName=name)
    keys: Any = {"Keys": [{"order_id": {"S": "nothing"}}]}
    yield from _each("dynamodb", "table orders", "BatchGetItem", RequestItems={name: keys})
    deletions: Any = [{"DeleteRequest": {"Key": {}}}]
    yield from _each("dynamodb", "table orders", "BatchWriteItem", RequestItems={name: deletions})
    for action, statement in {
        "PartiQLInsert": f'INSERT INTO "{name}" VALUE {{}}',
        "PartiQLSelect": f"SELECT * FROM \"{name}\" WHERE order_id = 'nothing'",
        "PartiQLUpdate": f"UPDATE \"{name}\" SET quantity = 1 WHERE order_id = 'nothing'",
        "PartiQLDelete": f"DELETE FROM \"{name}\" WHERE order_id = 'nothing'",
    }.items():
        statements = {"Statements": [{"Statement": statement}]}
        yield Attempt(f"dynamodb:{action}", "table orders", "BatchExecuteStatement", statements, "dynamodb")
    yield from _each("dynamodb", "index", "Query", TableName=name, IndexName="by_customer")
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
