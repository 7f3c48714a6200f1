"""Each function's role allows only the calls of its function; no other caller has access.

The roles' permissions are listed here. The tests compare them with the roles' policies, which test_parity.py compares
with Terraform's, and with the calls that the deployed roles can make.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from e2e.attempts import FUNCTIONS, QUEUES, TOPICS, Attempt, Client, attempts_on, clients_of_role, new_user
from local_stack.aws import ANONYMOUS, Credentials
from support.deployment.stack import DeployedStack

OTHER_ACCOUNT = "210987654321"

Permission = tuple[str, str]
"""An action and its target."""

OWN_PERMISSIONS: dict[str, set[Permission]] = {
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


def permissions_of(function: str) -> set[Permission]:
    """Return the permissions of a function's role, without X-Ray's actions."""
    log = f"log {function}"
    return OWN_PERMISSIONS[function] | {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_policies_allow_exactly_the_listed_permissions(stack: DeployedStack, function: str) -> None:
    iam, role = stack.client("iam"), stack.role(function).rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    statements = [
        statement
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    ]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    names = names_of(stack)
    allowed = {
        (action, names.get(resource, resource))
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert allowed == permissions_of(function)


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def names_of(stack: DeployedStack) -> dict[str, str]:
    """Return this test's name for each ARN in a policy."""
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


def clients_of(stack: DeployedStack, credentials: Credentials) -> Client:
    return replace(stack.local.connection, credentials=credentials).client


def clients_of_function(stack: DeployedStack, function: str) -> Client:
    return clients_of_role(stack.local.connection, stack.role(function))


@pytest.fixture(scope="module")
def attempts(stack: DeployedStack) -> Iterator[list[Attempt]]:
    kms = stack.client("kms")
    key_id = kms.create_key(Description="A key that is not used by the system.")["KeyMetadata"]["KeyId"]
    yield list(attempts_on(stack, key_id))
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)


def permitted(attempts: list[Attempt], client: Client) -> set[Permission]:
    return {(attempt.action, attempt.subject) for attempt in attempts if attempt.is_permitted_to(client)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_allows_only_the_calls_of_its_function(
    stack: DeployedStack, attempts: list[Attempt], function: str
) -> None:
    tried = {(attempt.action, attempt.subject) for attempt in attempts}
    assert permissions_of(function) < tried
    assert len(tried) > 100
    assert permitted(attempts, clients_of_function(stack, function)) == permissions_of(function)


def test_user_without_permissions_is_denied_everything(stack: DeployedStack, attempts: list[Attempt]) -> None:
    # The user's policy allows AssumeRole, but the trust policies of the roles do not.
    user = new_user(stack, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})

    assert permitted(attempts, clients_of(stack, user)) == set()


@pytest.mark.parametrize("is_signed", [True, False], ids=["another account", "unsigned"])
def test_queues_and_topics_deny_unsigned_and_cross_account_calls(
    stack: DeployedStack, attempts: list[Attempt], is_signed: bool
) -> None:
    # In the emulator, an account ID and the root user's secret key are the credentials of that account's root user.
    caller = Credentials(OTHER_ACCOUNT, stack.local.connection.credentials.secret_key) if is_signed else ANONYMOUS
    client = clients_of(stack, caller)
    denials = {"AccessDenied", "AuthorizationError", "MissingAuthenticationToken"}
    tried = [attempt for attempt in attempts if attempt.subject.startswith(("queue ", "topic "))]
    assert len(tried) > 25
    for attempt in tried:
        with pytest.raises(ClientError) as error:
            attempt.make(client)
        assert error.value.response["Error"]["Code"] in denials, attempt


@pytest.mark.parametrize("function", ["submission", "processing", "notification"])
def test_queues_and_topics_deny_functions_over_plain_http(
    stack: DeployedStack, attempts: list[Attempt], function: str
) -> None:
    signed = clients_of_function(stack, function)

    def without_tls(request: Any, **_: Any) -> None:
        # The emulator trusts this unsigned header, like a server behind a proxy.
        request.headers["X-Forwarded-Proto"] = "http"

    def client(service: str) -> Any:
        insecure = signed(service)
        insecure.meta.events.register("before-send", without_tls)
        return insecure

    own = OWN_PERMISSIONS[function]
    tried = [each for each in attempts if (each.action, each.subject) in own and not each.action.startswith("dynamo")]
    assert tried
    for attempt in tried:
        with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
            attempt.make(client)
