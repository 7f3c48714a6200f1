"""The installed command `orders` on the deployed system, on a terminal and in a script."""

import json
import os
import pty
import re
import signal
import termios
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from local_stack.environment import tool_environment
from orders.domain.order_id import parse_order_id
from orders_cli.queue import Depth, Queue
from support.deployment.stack import DeployedStack
from support.deployment.stream import failed_notification
from support.machine.orders_command import Finished, OrdersCommand, run_here
from support.sample_orders import order_document
from support.waiting import wait_for


@pytest.fixture
def orders(local_stack: LocalStack, tmp_path: Path) -> OrdersCommand:
    return OrdersCommand(local_stack, tmp_path)


@pytest.fixture
def customer() -> str:
    return f"operator-{uuid.uuid4().hex[:8]}"


def test_order_is_submitted_shown_listed_and_traced(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    order = ["--customer", customer, "--product", "Banana", "--quantity", "3", "--date", "2025-04-25"]
    submitted = orders.run("submit", *order, "--key", "the-key")
    order_id = submitted.out.strip()
    assert parse_order_id(order_id) == order_id
    assert "using order-processing-dev, the local stack at http://127.0.0.1:" in submitted.err
    assert "AWS_PROFILE is ignored: this is the local stack" in submitted.err
    processed = stack.wait_until_processed(order_id)
    assert orders.run("submit", *order, "--key", "the-key").out.strip() == order_id

    assert json.loads(orders.run("show", f" {order_id.upper()} ", "--json").out) == processed
    [listed] = orders.run("list", "--customer", customer, "--since", "1h", "--json").out.splitlines()
    assert json.loads(listed) == {name: value for name, value in processed.items() if name != "status"}

    def traced() -> list[dict[str, Any]] | None:
        events = [json.loads(line) for line in orders.run("trace", order_id, "--json").out.splitlines()]
        names = {event["event"] for event in events}
        return events if {"order_accepted", "order_stored", "order_duplicate", "order_notified"} <= names else None

    events = wait_for("all events", traced)
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert {event["function"] for event in events} >= {"submission", "processing", "notification"}
    assert customer not in json.dumps(events)
    [request_id, _] = [event["request_id"] for event in events if event["event"] == "order_accepted"]
    assert order_id in orders.run("trace", request_id).out


def test_submit_reports_rejected_lines_without_their_content(orders: OrdersCommand, customer: str) -> None:
    secret = "secret-of-a-customer!"
    valid = json.dumps(order_document(customer_id=customer))
    lines = [f'{{"customer_id": "{secret}"}}', f'{{"{secret}', "[]", valid]
    finished = orders.run("submit", "-", "--batch", "b", status=1, text="\n".join(lines))
    assert re.search(r"^1 +rejected +VALIDATION_FAILED .*/quantity is required", finished.out, re.MULTILINE)
    assert re.search(r"^2 +rejected +UNREADABLE_LINE The line is not one valid JSON", finished.out, re.MULTILINE)
    assert re.search(r"^3 +rejected +VALIDATION_FAILED the line must be a JSON object", finished.out, re.MULTILINE)
    assert "4 orders: 1 accepted, 3 rejected" in finished.err
    assert secret not in finished.out + finished.err


def dead_letters(stack: DeployedStack, orders: OrdersCommand, number: int) -> None:
    """Empty the dead-letter queue; then send this many orders to it."""
    orders.run("dlq", "drop", "--kind", "all", "--yes", "--to", f"{uuid.uuid4().hex}.jsonl")
    stack.send_to_queue(*(stack.message("signals") for _ in range(number)), queue="orders_dlq_url")


def depth(stack: DeployedStack) -> Depth:
    return Queue(stack.client("sqs"), stack.outputs["orders_dlq_url"]).depth()


@pytest.mark.parametrize(
    ("command", "statuses"), [("list --customer 001 --json --limit 5000", (0, 141)), ("dlq redrive --yes", (0,))]
)
def test_closed_output_ends_a_listing_and_no_redrive(
    stack: DeployedStack, orders: OrdersCommand, command: str, statuses: tuple[int, ...]
) -> None:
    dead_letters(stack, orders, 3)
    with orders.start(*command.split()) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode in statuses
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert depth(stack) == Depth(0 if "redrive" in command else 3, 0, 0)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (None, 0)]
)
def test_redrive_can_be_repeated_when_a_signal_ends_it(
    stack: DeployedStack, orders: OrdersCommand, number: signal.Signals | None, status: int
) -> None:
    """None is SIGHUP to a process that nohup started."""
    dead_letters(stack, orders, 15)
    nohup = None if number else lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with orders.start("dlq", "redrive", "--yes", "--rate", "5", preexec_fn=nohup) as process:
        wait_for("the first messages to move", lambda: depth(stack).total < 15)
        process.send_signal(number or signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    [done] = map(int, re.findall(r"orders: (\d+) messages? redriven", err))
    left = depth(stack)
    # A message whose deletion was interrupted is in both queues.
    assert 0 <= 15 - done - left.visible <= 10
    assert left.in_flight == 0
    if number:
        assert err.endswith("orders: stopped\n")
        assert "Traceback" not in err
        assert left.visible > 0
        orders.run("dlq", "redrive", "--yes")
    assert depth(stack).total == 0


def test_pause_stops_processing_until_resume(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    try:
        paused = orders.run("pause", "--json")
        assert json.loads(paused.out) == {"processing": "Disabled", "changed": True}
        assert "order-processing-dev-orders-waiting" in paused.err
        assert json.loads(orders.run("pause", "--json").out)["changed"] is False
        order_id = stack.api.post(json.dumps(order_document(customer_id=customer)).encode()).json()["order_id"]
        status = json.loads(orders.run("status", "--json").out)
        assert (status["processing"], status["notification"]) == ("Disabled", "Enabled")
        assert status["orders_queue"]["visible"] >= 1
        assert status["per_minute"]["accepted"] > 0
        [_, reading] = orders.run("watch", "--count", "2", "--interval", "0.5", "--json").out.splitlines()
        assert json.loads(reading)["waiting"] >= 1
        assert json.loads(orders.run("show", order_id, "--json").out)["status"] == "PENDING"
    finally:
        resumed = orders.run("resume")
    assert "processing is enabled" in resumed.err
    stack.wait_until_processed(order_id)
    assert "processing  " in orders.run("status").out

    def rates() -> dict[str, float]:
        return dict(json.loads(orders.run("status", "--json").out)["per_minute"])

    stack.api.post(json.dumps({"customer_id": customer}).encode())
    wait_for("all metrics", lambda: all(rates()[name] for name in ("accepted", "refused", "stored", "notified")))


def on_terminal(orders: OrdersCommand, *arguments: str, columns: int, term: str, answer: str) -> tuple[int, str]:
    """Run a command that asks a question on a terminal; return its exit status and what the terminal displays."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, columns))
    environment, text = {**orders.environment, "TERM": term}, ""
    with orders.start(*arguments, env=environment, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        with suppress(OSError):  # the command has ended
            while read := os.read(controller, 65536).decode("utf-8", "replace"):
                text += read
                if text.endswith("[y/N]: "):
                    os.write(controller, f"{answer}\n".encode())
    os.close(controller)
    return process.returncode, text


def test_drop_asks_for_confirmation_on_a_terminal(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    dead_letters(stack, orders, 1)
    [order] = json.loads(orders.run("dlq", "list", "--json").out)["groups"]
    bodies = [f"{customer}\t{number} [red]=1+1" for number in range(3)]
    stack.send_to_queue(*bodies, queue="orders_dlq_url")
    for columns, term, answer, status in ((80, "dumb", "n", 1), (160, "xterm", "y", 0)):
        drop = ["dlq", "drop", "--kind", "all", "--to", "f"]
        found, text = on_terminal(orders, *drop, columns=columns, term=term, answer=answer)
        assert found == status, text
        lines = [line for line in text.splitlines() if "orders: " not in line and "Reading the dead" not in line]
        assert max(map(len, lines)) <= columns, text
        assert any(order["oldest"]["order_id"] in line for line in lines), text
        assert "the message is not JSON" in text
        assert ("\x1b" in text or "Reading the dead" in text) == (term == "xterm")
        if answer == "n":
            assert "Nothing was done." in text
            assert not (orders.directory / "f").exists()
            shown = orders.run("dlq", "show", "--limit", "1000").out
            for body in bodies:
                assert body.replace("\t", r"\t") in shown
                assert body not in shown
    kept = [json.loads(line)["body"] for line in (orders.directory / "f").read_text().splitlines()]
    assert set(bodies) < set(kept)
    assert depth(stack).total == 0


def test_notifications_are_sent_again_from_the_stream_and_by_order_id(
    stack: DeployedStack, orders: OrdersCommand, customer: str
) -> None:
    order_id = stack.api.post(json.dumps(order_document(customer_id=customer)).encode()).json()["order_id"]
    wait_for("the notification", lambda: stack.events("notification", "order_notified", order_id))
    entry = failed_notification(stack, order_id)
    expired = {**entry, "DDBStreamBatchInfo": {**entry["DDBStreamBatchInfo"], "startSequenceNumber": "1".zfill(21)}}
    expired["requestContext"] = {"condition": "MaximumRecordAgeExceeded"}
    stack.send_to_queue(entry, expired, queue="notifications_dlq_url")

    assert "RetryAttemptsExhausted, Unhandled" in orders.run("dlq", "list", "--notifications").out
    finished = orders.run("dlq", "redrive", "--notifications", "--yes", status=1)
    assert "1 message redriven; notified 1 order" in finished.err
    assert "the stream no longer holds the orders of 1 entry" in finished.err
    [left] = orders.run("dlq", "show", "--notifications", "--json").out.splitlines()
    assert json.loads(left)["reason"] == "MaximumRecordAgeExceeded, Unhandled"
    orders.run("dlq", "drop", "--notifications", "--yes", "--to", "entries.jsonl")
    assert json.loads(orders.run("dlq", "list", "--notifications", "--json").out)["messages"] == 0

    with stack.subscribed_queue(stack.outputs["order_completed_topic_arn"], customer) as read:
        assert "notified 1 order" in orders.run("notify", order_id).err
        announced = wait_for("the notification", read)
    assert order_id in [json.loads(message["Message"])["order_id"] for message in announced]
    missing = stack.message("nobody")["order_id"]
    assert f"Order {missing} is not stored" in orders.run("notify", order_id, missing, status=3).err
    assert len(stack.events("notification", "order_notified", order_id)) == 3


def on_aws(stack: DeployedStack, *arguments: str | Path, **changes: str) -> Finished:
    """Run the command as for a deployment on AWS, with the emulator as the endpoint."""
    return run_here(*arguments, environment={**tool_environment(stack.local.connection), **changes})


def test_missing_stack_and_rejected_credentials_are_reported(stack: DeployedStack) -> None:
    listed = ["list", "--customer", "001", "--stack"]
    missing = on_aws(stack, *listed, "order-procesing-dev")
    assert (missing.status, missing.out) == (1, "")
    assert "The CloudFormation stack order-procesing-dev does not exist in us-east-1" in missing.err
    unknown = {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN", "AWS_SECRET_ACCESS_KEY": "unknown"}
    rejected = on_aws(stack, *listed, "order-processing-dev", **unknown)
    assert rejected.status == 1
    assert "AWS rejected your credentials" in rejected.err


def test_terraform_outputs_are_found_by_their_directory(terraform_stack: LocalStack) -> None:
    directory = terraform_stack.settings.local_directory / "terraform" / "deployment"
    found = on_aws(DeployedStack(terraform_stack), "dlq", "list", "--json", "--terraform", directory)
    assert found.status == 0
    assert "messages" in json.loads(found.out)
    assert "the Terraform deployment of" in found.err
