"""The operators' policies in docs/: with IAM enforced, they allow every action of the commands and no other."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from e2e.attempts import new_user
from local_stack.environment import tool_environment
from orders_cli.program import run
from support.deployment.stack import DeployedStack
from support.deployment.stream import failed_notification
from support.repository.files import REPOSITORY
from support.waiting import wait_for

POLICY = json.loads((REPOSITORY / "docs" / "operator-policy.json").read_text())
# The tested stack has no customer-managed key.
STATEMENTS = [statement for statement in POLICY["Statement"] if not statement["Sid"].startswith("UseKey")]
ERASURE = json.loads((REPOSITORY / "docs" / "erasure-policy.json").read_text())["Statement"]
READING = [statement for statement in STATEMENTS if statement["Sid"].startswith("Read")]

# Operations whose action has another name.
# Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
ACTIONS = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "dynamodb:BatchExecuteStatement": "dynamodb:PartiQLInsert",
    "lambda:Invoke": "lambda:InvokeFunction",
}


def actions_of(statements: list[dict[str, Any]]) -> set[str]:
    listed = [statement["Action"] for statement in statements]
    return {action for each in listed for action in ([each] if isinstance(each, str) else each)}


AsUser = Callable[[list[dict[str, Any]]], set[str]]


@pytest.fixture
def as_user(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsUser:
    """Return a function that acts as a new user with these statements, and returns a set that collects its actions."""

    def act_as(statements: list[dict[str, Any]]) -> set[str]:
        text, calls = json.dumps(statements), set[str]()
        region, account = stack.outputs["alerts_topic_arn"].split(":")[3:5]
        for placeholder, value in {"PARTITION": "aws", "REGION": region, "ACCOUNT": account}.items():
            text = text.replace(placeholder, value)
        user = new_user(stack, *json.loads(text))
        original = BaseClient._make_api_call

        def call(client: Any, operation: str, parameters: Any) -> Any:
            # The local stack's own clients also run in this process.
            if client._request_signer._credentials.access_key == user.access_key:
                service = client.meta.service_model.signing_name.replace("monitoring", "cloudwatch")
                calls.add(ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"))
            return original(client, operation, parameters)

        for variable, value in tool_environment(replace(stack.local.connection, credentials=user)).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        return calls

    return act_as


@pytest.fixture
def names(stack: DeployedStack, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Something to do for every command; the names of the orders and of the table to restore from."""
    dynamodb, table = stack.client("dynamodb"), stack.outputs["orders_table_name"]
    stored, lost = stack.place(), stack.place()
    names = {"order": stored, "copy": f"{table}-restored-policy", "customer": f"erased-{uuid.uuid4().hex[:8]}"}
    item = stack.item(lost)
    erased = {**item, "order_id": {"S": str(uuid.uuid4())}, "customer_id": {"S": names["customer"]}}
    dynamodb.create_table(
        TableName=names["copy"],
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=names["copy"], Item=item)
    dynamodb.delete_item(TableName=table, Key={"order_id": item["order_id"]})
    dynamodb.put_item(TableName=table, Item=erased)
    (tmp_path / "orders.csv").write_text("customer_id,product_id,quantity,order_date\n001,Banana,1,2025-04-25\n")
    stack.send_to_queue("poison", stack.message("operator"), queue="orders_dlq_url")
    stack.send_to_queue(failed_notification(stack, stored), queue="notifications_dlq_url")
    yield names
    dynamodb.delete_table(TableName=names["copy"])


READING_COMMANDS = [
    *("status", "watch --count 1", "show {order}", "list --customer 001 --limit 1", "trace {order}"),
    *("submit orders.csv --dry-run", "notify {order} --dry-run"),
    *("dlq list", "dlq show --limit 1", "dlq redrive --dry-run", "dlq list --notifications"),
]
CHANGING_COMMANDS = [
    *("restore {copy} --yes", "notify {order}", "dlq redrive --limit 1 --yes", "dlq drop --yes --to dropped.jsonl"),
    *("dlq redrive --notifications --yes", "dlq drop --notifications --yes --to entries.jsonl", "pause", "resume"),
]
ERASING_COMMANDS = ["erase --customer {customer} --yes --to receipt.json"]


@pytest.mark.parametrize(
    ("statements", "commands", "tested"),
    [
        (READING, READING_COMMANDS, []),
        (STATEMENTS, CHANGING_COMMANDS, READING),
        ([*READING, *ERASURE], ERASING_COMMANDS, READING),
    ],
    ids=["reading", "all but erasure", "erasure"],
)
def test_policy_suffices_for_its_commands_and_allows_nothing_else(
    stack: DeployedStack, as_user: AsUser, names: dict[str, str], statements: Any, commands: Any, tested: Any
) -> None:
    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0)
    calls = as_user(statements)
    for command in commands:
        assert run([*command.format(**names).split(), "--stack", "order-processing-dev"]) == 0, command
    assert actions_of(statements) - actions_of(tested) <= calls <= actions_of(statements)
    assert len(stack.order_ids_of(names["customer"])) == (0 if commands is ERASING_COMMANDS else 1)


def test_reading_policy_does_not_suffice_for_an_erasure(
    as_user: AsUser, names: dict[str, str], stack: DeployedStack
) -> None:
    as_user(READING)
    assert run([*ERASING_COMMANDS[0].format(**names).split(), "--stack", "order-processing-dev"]) == 1
    assert len(stack.order_ids_of(names["customer"])) == 1


def test_policy_is_within_the_limits_of_a_managed_policy() -> None:
    assert len(re.sub(r"\s", "", json.dumps(POLICY))) < 6144
    sids = [statement["Sid"] for statement in POLICY["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
