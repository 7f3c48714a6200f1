"""Recovery drill: processing breaks, the operator finds and fixes the cause, and redrives every order."""

import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from local_stack import LocalStack
from support.deployment.stack import DeployedStack
from support.machine.orders_command import OrdersCommand
from support.waiting import wait_for

ORDERS = 40
ALARM_SECONDS = 150


def test_operator_recovers_every_order(local_stack: LocalStack, stack: DeployedStack, tmp_path: Path) -> None:
    orders = OrdersCommand(local_stack, tmp_path)
    alarm = f"{stack.prefix}-orders-dlq"
    customer = f"drill-{uuid.uuid4().hex[:8]}"

    def mails(state: str) -> list[Any]:
        return [mail for mail in stack.mails_about(alarm) if mail["Subject"].startswith(f"{state}:")]

    def listed() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(orders.run("dlq", "list", "--json").out)
        return document

    # Other tests may have left dead letters.
    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0, ALARM_SECONDS)
    orders.run("dlq", "drop", "--kind", "all", "--yes", "--to", "aside.jsonl")
    resolved = len(mails("OK"))

    # Processing breaks; orders are still accepted.
    rows = [f"{customer},Banana,{quantity},2025-04-25" for quantity in range(1, ORDERS + 1)]
    (tmp_path / "orders.csv").write_text("\n".join(["customer_id,product_id,quantity,order_date", *rows]))
    with stack.permission_removed("processing", "dynamodb:PartiQLInsert"), stack.quick_redelivery():
        submitted = orders.run("submit", "orders.csv", "--json")
        order_ids = [json.loads(line)["order_id"] for line in submitted.out.splitlines()]
        assert len(set(order_ids)) == ORDERS

        # The on-call engineer gets an e-mail.
        wait_for("all orders to be dead-lettered", lambda: stack.messages("orders-dlq") == ORDERS, seconds=90)
        wait_for("the alarm", lambda: stack.alarm_state(alarm) == "ALARM", ALARM_SECONDS)
        mail = wait_for("the alarm's e-mail", lambda: mails("ALARM"))[-1]
        assert "could not be stored" in mail.as_string()
        assert "Runbook: docs/runbook.md#orders-dlq" in mail.as_string()

        # The engineer finds the reason.
        [group] = listed()["groups"]
        assert (group["count"], group["kind"]) == (ORDERS, "REFUSED")
        assert "AccessDenied" in group["reason"]
        assert group["what_to_do"] == "fix the cause, then redrive"
        assert json.loads(orders.run("show", order_ids[0], "--json").out)["status"] == "DEAD_LETTER"
        assert customer not in json.dumps(group)

    # The cause is fixed and the orders are redriven. Each is stored once.
    orders.run("dlq", "redrive", "--yes")
    assert listed() == {"messages": 0, "hidden": 0, "groups": []}
    wait_for("every order", lambda: len(stack.order_ids_of(customer)) >= ORDERS, seconds=60)
    assert Counter(stack.order_ids_of(customer)) == dict.fromkeys(order_ids, 1)
    for order_id in order_ids:
        assert stack.api.get(order_id).json()["status"] == "PROCESSED"
    wait_for("the alarm to be OK again", lambda: stack.alarm_state(alarm) == "OK", ALARM_SECONDS)
    wait_for("the OK e-mail", lambda: mails("OK")[resolved:])
