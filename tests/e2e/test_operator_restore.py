"""Lost orders come back from a point in time, through the APIs that an operator has."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from support.deployment.stack import DeployedStack
from support.machine.orders_command import OrdersCommand
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack) -> DeployedStack:
    """The stack of one way to deploy: the table is the same in the other."""
    return DeployedStack(local_stack)


@pytest.fixture
def restored(stack: DeployedStack) -> Iterator[Callable[[], str]]:
    """Return a function that restores the table beside itself and returns the copy's name."""
    dynamodb, name = stack.client("dynamodb"), f"restored-{uuid.uuid4().hex[:8]}"

    def restore() -> str:
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=stack.outputs["orders_table_name"], TargetTableName=name, UseLatestRestorableTime=True
        )
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        return name

    yield restore
    dynamodb.delete_table(TableName=name)


def test_restore_inserts_lost_orders_and_lists_changed_ones(
    stack: DeployedStack,
    local_stack: LocalStack,
    restored: Callable[[], str],
    announcements: Callable[[], list[Any]],
    tmp_path: Path,
) -> None:
    orders, dynamodb, table = (
        OrdersCommand(local_stack, tmp_path),
        stack.client("dynamodb"),
        stack.outputs["orders_table_name"],
    )
    ids = [stack.api.post(SAMPLE_BODY).json()["order_id"] for _ in range(12)]
    before = {order_id: stack.wait_until_processed(order_id) for order_id in ids}
    copy = restored()
    lost, changed = ids[:10], ids[10]
    for order_id in lost:
        dynamodb.delete_item(TableName=table, Key={"order_id": {"S": order_id}})
    dynamodb.update_item(
        TableName=table,
        Key={"order_id": {"S": changed}},
        UpdateExpression="SET quantity = :other",
        ExpressionAttributeValues={":other": {"N": "7"}},
    )
    stack.announced_before_a_new_order(announcements)

    comparison = json.loads(orders.run("restore", copy, "--dry-run", "--json").out)
    assert (comparison["missing"], comparison["broken"]) == (10, [])
    assert changed in comparison["different"]
    told = orders.run("restore", copy, "--yes")

    assert changed in told.out
    assert "10 orders restored" in told.err
    assert {order_id: stack.wait_until_processed(order_id) for order_id in [*lost, ids[11]]} == {
        order_id: before[order_id] for order_id in [*lost, ids[11]]
    }
    assert stack.api.get(changed).json()["quantity"] == 7
    again: list[str] = []

    def announced_again() -> bool:
        again.extend(document["order_id"] for document in announcements())
        return set(again) >= set(lost)

    wait_for("the announcements", announced_again)
    assert changed not in again
    assert "there is nothing to restore" in orders.run("restore", copy, "--yes").err
