"""The operators' policies in docs/: with IAM enforced, they allow every action of the commands and no other."""

import json
import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from local_stack import LocalStack
from local_stack.environment import tool_environment
from orders.domain.order import Order, ProcessedOrder
from orders_cli.program import run
from support.deployment.stack import DeployedStack
from support.machine.orders_command import COMMAND
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.events import item_of
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
    actions: set[str] = set()
    for statement in statements:
        listed = statement["Action"]
        actions |= {listed} if isinstance(listed, str) else set(listed)
    return actions


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack) -> DeployedStack:
    return DeployedStack(local_stack)


@pytest.fixture
def as_user(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[list[dict[str, Any]]], set[str]]]:
    """Return a function that acts as a new user with these statements; the set that it returns collects called actions."""
    iam = stack.client("iam")
    users: list[tuple[str, str]] = []
    calls: set[str] = set()
    original = BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: Any) -> Any:
        # The local stack's own clients also run in this process.
        if client._request_signer._credentials.access_key not in {key_id for _, key_id in users}:
            return original(client, operation, parameters)
        service = client.meta.service_model.signing_name.replace("monitoring", "cloudwatch")
        calls.add(ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"))
        return original(client, operation, parameters)

    def act_as(statements: list[dict[str, Any]]) -> set[str]:
        name = f"operator-{uuid.uuid4().hex[:8]}"
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        region, account = stack.outputs["alerts_topic_arn"].split(":")[3:5]
        for placeholder, value in {"PARTITION": "aws", "REGION": region, "ACCOUNT": account}.items():
            text = text.replace(placeholder, value)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="operator", PolicyDocument=text)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users.append((name, key["AccessKeyId"]))
        for variable, value in tool_environment(stack.local.connection).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        return calls

    yield act_as
    monkeypatch.undo()
    for name, key_id in users:
        iam.delete_access_key(UserName=name, AccessKeyId=key_id)
        iam.delete_user_policy(UserName=name, PolicyName="operator")
        iam.delete_user(UserName=name)


def stored_order(stack: DeployedStack) -> str:
    order_id = str(stack.api.post(SAMPLE_BODY).json()["order_id"])
    stack.wait_until_processed(order_id)
    return order_id


def on_stack(command: str) -> list[str]:
    return [*command.split(), "--stack", "order-processing-dev"]


def reading_commands(order_id: str) -> list[str]:
    return [
        "status",
        "watch --count 1",
        f"show {order_id}",
        "list --customer 001 --limit 1",
        f"trace {order_id}",
        "submit orders.csv --dry-run",
        f"notify {order_id} --dry-run",
        "dlq list",
        "dlq show --limit 1",
        "dlq redrive --dry-run",
        "dlq list --notifications",
    ]


def test_read_statements_suffice_for_the_reading_commands(
    stack: DeployedStack, as_user: Callable[[list[dict[str, Any]]], set[str]], tmp_path: Path
) -> None:
    order_id = stored_order(stack)
    stack.client("sqs").send_message(QueueUrl=stack.outputs["orders_dlq_url"], MessageBody="poison")
    (tmp_path / "orders.csv").write_text("customer_id,product_id,quantity,order_date\n001,Banana,1,2025-04-25\n")
    calls = as_user(READING)
    for command in reading_commands(order_id):
        assert run(on_stack(command)) == 0, command
    assert calls == actions_of(READING)


def test_policy_suffices_for_every_command_and_allows_nothing_else(
    stack: DeployedStack, as_user: Callable[[list[dict[str, Any]]], set[str]], tmp_path: Path
) -> None:
    sqs, dynamodb = stack.client("sqs"), stack.client("dynamodb")
    order_id = stored_order(stack)
    table, copy = stack.outputs["orders_table_name"], f"{stack.outputs['orders_table_name']}-restored-policy"
    dynamodb.create_table(
        TableName=copy,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = stack.item(stored_order(stack))
    dynamodb.put_item(TableName=copy, Item=item)
    dynamodb.delete_item(TableName=table, Key={"order_id": item["order_id"]})
    (tmp_path / "orders.csv").write_text("customer_id,product_id,quantity,order_date\n001,Banana,1,2025-04-25\n")
    for body in ("poison", json.dumps(stack.message("operator"))):
        sqs.send_message(QueueUrl=stack.outputs["orders_dlq_url"], MessageBody=body)
    stream = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    info = {"streamArn": stream, "shardId": "shardId-00000000000000000001-00000001", "batchSize": 1}
    info |= {"startSequenceNumber": "1".zfill(21), "endSequenceNumber": "1".zfill(21)}
    info |= {"approximateArrivalOfFirstRecord": "", "approximateArrivalOfLastRecord": ""}
    shard = stack.client("dynamodbstreams").describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][-1]
    first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    info |= {"shardId": shard["ShardId"], "startSequenceNumber": first, "endSequenceNumber": first}
    entry = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": info}
    sqs.send_message(QueueUrl=stack.outputs["notifications_dlq_url"], MessageBody=json.dumps(entry))

    calls = as_user(STATEMENTS)
    try:
        changing = [
            f"restore {copy} --yes",
            f"notify {order_id}",
            "dlq redrive --limit 1 --yes",
            "dlq drop --yes --to dropped.jsonl",
            "dlq redrive --notifications --yes",
            "dlq drop --notifications --yes --to entries.jsonl",
            "pause",
            "resume",
        ]
        for command in [*reading_commands(order_id)[:-3], *changing]:
            status = run(on_stack(command))
            # The record may have expired in the stream, which does not depend on permissions.
            assert status == 0 or "--notifications" in command, command
        assert calls == actions_of(STATEMENTS)
    finally:
        dynamodb.delete_table(TableName=copy)


def test_erasure_policy_suffices_for_an_interrupted_erasure(
    stack: DeployedStack, as_user: Callable[[list[dict[str, Any]]], set[str]], tmp_path: Path
) -> None:
    customer, dynamodb, table = f"erased-{uuid.uuid4().hex[:8]}", stack.client("dynamodb"), "orders_table_name"
    kept = stored_order(stack)
    for number in range(200):
        message = stack.message(customer, quantity=number + 1)
        moment = message["submitted_at"]
        order = ProcessedOrder(message["order_id"], Order(**message["order"]), moment, moment)
        dynamodb.put_item(TableName=stack.outputs[table], Item=item_of(order))
    erase = [*on_stack(f"erase --customer {customer} --yes"), "--to"]

    as_user(READING)
    assert run([*erase, "denied.json"]) == 1
    assert len(stack.order_ids_of(customer)) == 200
    calls = as_user([*READING, *ERASURE])
    with subprocess.Popen([COMMAND, *erase, "first.json"], stderr=subprocess.PIPE, text=True) as process:
        wait_for("the first deletions", lambda: len(stack.order_ids_of(customer)) < 190)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    calls.clear()
    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0)
    assert run([*erase, "second.json"]) == 0

    assert stack.order_ids_of(customer) == []
    assert stack.item(kept)
    assert calls - actions_of(READING) == actions_of(ERASURE)
    texts = [(tmp_path / name).read_text() for name in ("first.json", "second.json")]
    assert customer not in "".join(texts)
    first, second = map(json.loads, texts)
    assert (first["is_complete"], second["is_complete"]) == (False, True)
    assert 0 < first["orders_deleted"] < 200
    # Possibly neither receipt counts the deletion that the signal interrupted.
    assert first["orders_deleted"] + second["orders_deleted"] in (199, 200)


def test_policy_is_within_the_limits_of_a_managed_policy() -> None:
    assert len(re.sub(r"\s", "", json.dumps(POLICY))) < 6144
    sids = [statement["Sid"] for statement in POLICY["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
