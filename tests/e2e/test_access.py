"""Who may do what: each function's role is taken over and tried against everything, and so are strangers.

The roles' rights stand here as data. They are proven to be what the policies say, and what the policies do.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from e2e.attempts import FUNCTIONS, QUEUES, STRANGER, TOPICS, Attempt, attempts_on
from local_stack.aws import NOBODY, Credentials
from support.deployment.stack import DeployedStack

Client = Callable[[str], Any]
Right = tuple[str, str]
"""An action and what it may be done on."""

# The emulator has no X-Ray, so what concerns it is read in the policies and not tried.
TRACES: set[Right] = {("xray:PutTraceSegments", "everything"), ("xray:PutTelemetryRecords", "everything")}

OWN_RIGHTS: dict[str, set[Right]] = {
    "submission": {("sqs:SendMessage", "queue orders")},
    "processing": {
        ("sqs:ReceiveMessage", "queue orders"),
        ("sqs:DeleteMessage", "queue orders"),
        ("sqs:GetQueueAttributes", "queue orders"),
        ("dynamodb:PartiQLInsert", "table orders"),
        ("dynamodb:BatchGetItem", "table orders"),
    },
    "status": {("dynamodb:GetItem", "table orders")},
    "notification": {
        ("dynamodb:ListStreams", "stream orders"),
        ("dynamodb:DescribeStream", "stream orders"),
        ("dynamodb:GetShardIterator", "stream orders"),
        ("dynamodb:GetRecords", "stream orders"),
        ("sns:Publish", "topic order-completed"),
        ("sqs:SendMessage", "queue notifications-dlq"),
    },
}


def rights_of(function: str) -> set[Right]:
    """Return all that a function's role may do, but for traces."""
    log = f"log {function}"
    return OWN_RIGHTS[function] | {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}


def clients_of(stack: DeployedStack, credentials: Credentials) -> Client:
    return cache(replace(stack.local.connection, credentials=credentials).client)


def session_of(stack: DeployedStack, function: str) -> Credentials:
    """Return what a function signs with."""
    # The emulator lets the account's owner stand in for the service that the role trusts.
    keys = stack.client("sts").assume_role(RoleArn=stack.role(function), RoleSessionName="taken-over")["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


@pytest.fixture(scope="module")
def taken_over(stack: DeployedStack) -> Callable[[str], Client]:
    """Return a function that gives the clients of somebody who took over a function."""

    @cache
    def clients(function: str) -> Client:
        return clients_of(stack, session_of(stack, function))

    return clients


@pytest.fixture(scope="module")
def attempts(stack: DeployedStack) -> Iterator[list[Attempt]]:
    kms = stack.client("kms")
    key_id = kms.create_key(Description="A key that has nothing to do with the system.")["KeyMetadata"]["KeyId"]
    yield list(attempts_on(stack, key_id))
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)


@pytest.fixture(scope="module")
def guest(stack: DeployedStack) -> Iterator[Client]:
    """A user of the system's own account who was given nothing but the right to take any role that would have them."""
    iam, name = stack.client("iam"), f"guest-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName=name, PolicyName="roles", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield clients_of(stack, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="roles")
    iam.delete_user(UserName=name)


def permitted(attempts: list[Attempt], client: Client) -> set[Right]:
    return {(attempt.action, attempt.subject) for attempt in attempts if attempt.is_permitted_to(client)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_whoever_takes_over_a_function_can_do_what_it_does_and_nothing_else(
    taken_over: Callable[[str], Client], attempts: list[Attempt], function: str
) -> None:
    assert permitted(attempts, taken_over(function)) == rights_of(function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_policies_say_exactly_these_rights(stack: DeployedStack, function: str) -> None:
    iam, role = stack.client("iam"), stack.role(function).rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    statements = [
        statement
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    ]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    names = names_of(stack)
    said = {
        (action, names.get(resource, resource))
        for statement in statements
        for action in many(statement["Action"])
        for resource in many(statement["Resource"])
    }
    assert said == rights_of(function) | TRACES


def many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def names_of(stack: DeployedStack) -> dict[str, str]:
    """Return what stands in policies for the parts of the system, in words of this test."""
    table = stack.client("dynamodb").describe_table(TableName=stack.outputs["orders_table_name"])["Table"]
    return {
        "*": "everything",
        **{stack.arn("sqs", f"{stack.prefix}-{queue}"): f"queue {queue}" for queue in QUEUES},
        **{stack.arn("sns", f"{stack.prefix}-{topic}"): f"topic {topic}" for topic in TOPICS},
        table["TableArn"]: "table orders",
        table["LatestStreamArn"]: "stream orders",
        f"{table['TableArn']}/stream/*": "stream orders",
        **{stack.arn("logs", f"log-group:/aws/lambda/{stack.prefix}-{f}:*"): f"log {f}" for f in FUNCTIONS},
    }


def test_every_right_is_tried(attempts: list[Attempt]) -> None:
    tried = {(attempt.action, attempt.subject) for attempt in attempts}
    assert len(tried) > 150
    assert set().union(*map(rights_of, FUNCTIONS)) <= tried


def test_a_user_of_the_account_without_rights_can_do_nothing(attempts: list[Attempt], guest: Client) -> None:
    # Among these attempts is to take each function's role, which the user's own policy allows and the role's does not.
    assert permitted(attempts, guest) == set()


@pytest.mark.parametrize("is_signed", [True, False], ids=["another account", "nobody"])
def test_queues_and_topics_refuse_strangers(stack: DeployedStack, attempts: list[Attempt], is_signed: bool) -> None:
    # The emulator takes a key of twelve digits with its root user's secret as the root user of that account.
    stranger = Credentials(STRANGER, stack.local.connection.credentials.secret_key) if is_signed else NOBODY
    client = clients_of(stack, stranger)
    refusals = {"AccessDenied", "AuthorizationError", "MissingAuthenticationToken"}
    # Operations that the emulator has not, or not for whom it does not know.
    missing = {"sqs:StartMessageMoveTask", "sns:AddPermission"}
    tried = [a for a in attempts if a.subject.startswith(("queue ", "topic ")) and a.action not in missing]
    assert len(tried) > 30
    for attempt in tried:
        with pytest.raises(ClientError) as refusal:
            attempt.make(client)
        assert refusal.value.response["Error"]["Code"] in refusals, attempt


def _say_http(request: Any, **_: Any) -> None:
    # The emulator believes this header, as it would from a proxy in front of it. It is no part of the signature.
    request.headers["X-Forwarded-Proto"] = "http"


def plain_http(client: Client) -> Client:
    """Return the same caller's clients without TLS."""

    @cache
    def over_http(service: str) -> Any:
        made = client(service)
        made.meta.events.register("before-send", _say_http)
        return made

    return over_http


@pytest.mark.parametrize("function", ["submission", "processing", "notification"])
def test_queues_and_topics_refuse_over_plain_http_even_whom_they_serve(
    stack: DeployedStack, attempts: list[Attempt], function: str
) -> None:
    client = plain_http(clients_of(stack, session_of(stack, function)))
    tried = [a for a in attempts if (a.action, a.subject) in OWN_RIGHTS[function] and not a.action.startswith("dynamo")]
    assert tried
    for attempt in tried:
        with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
            attempt.make(client)
