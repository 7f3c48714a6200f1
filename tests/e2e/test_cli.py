"""The installed command `orders` on the deployed system, on a terminal and in a script."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack
from local_stack.environment import tool_environment
from orders.domain.order_id import parse_order_id
from support.deployment.stack import DeployedStack
from support.machine.orders_command import COMMAND, Finished, OrdersCommand, run_here
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

HEADER = "customer_id,product_id,quantity,order_date"


@pytest.fixture(scope="module")
def stack(local_stack: LocalStack) -> DeployedStack:
    """The CloudFormation stack. With Terraform, `orders` differs only in how it finds the stack."""
    return DeployedStack(local_stack)


@pytest.fixture
def orders(local_stack: LocalStack, tmp_path: Path) -> OrdersCommand:
    return OrdersCommand(local_stack, tmp_path)


@pytest.fixture
def customer() -> str:
    return f"operator-{uuid.uuid4().hex[:8]}"


def rows_of(customer: str, number: int) -> list[str]:
    return [f"{customer},Banana,{quantity},2025-04-25" for quantity in range(1, number + 1)]


def test_order_is_submitted_shown_listed_and_traced(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    order = ["--customer", customer, "--product", "Banana", "--quantity", "3", "--date", "2025-04-25"]
    submitted = orders.run("submit", *order, "--key", "the-key")
    order_id = submitted.out.strip()
    assert parse_order_id(order_id) == order_id
    assert "using order-processing-dev, the local stack at http://127.0.0.1:" in submitted.err
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


def test_submit_places_each_order_once_when_a_file_is_repeated(
    stack: DeployedStack, orders: OrdersCommand, customer: str
) -> None:
    rows = rows_of(customer, 60)
    file = orders.directory / "orders.csv"
    repeated = [rows[0]]
    file.write_text("\r\n".join([HEADER, *rows, *repeated, f"{customer},Banana,0,2025-02-30", '"', "a,b", ""]))

    first = orders.run("submit", file, "--json", status=1)

    verdicts = [json.loads(line) for line in first.out.splitlines()]
    assert [verdict["line"] for verdict in verdicts] == list(range(2, 66))
    assert Counter(verdict["verdict"] for verdict in verdicts) == {"ACCEPTED": 61, "REFUSED": 3}
    assert {error["pointer"] for error in verdicts[61]["errors"]} == {"/quantity", "/order_date"}
    accepted = {verdict["order_id"] for verdict in verdicts[:61]}
    assert len(accepted) == 61, "two equal lines are two orders"
    wait_for("all orders", lambda: len(stack.order_ids_of(customer)) >= 61, seconds=60)

    file.write_text("\n".join([HEADER, *rows, *repeated, f"{customer},Banana,777,2025-04-25"]))
    second = orders.run("submit", file)

    assert "62 orders: 62 accepted" in second.err
    wait_for("the corrected order", lambda: len(stack.order_ids_of(customer)) >= 62)
    assert len(stack.order_ids_of(customer)) == 62
    assert accepted < set(stack.order_ids_of(customer))


def test_submit_reports_rejected_lines_without_their_content(orders: OrdersCommand) -> None:
    secret = "secret-of-a-customer!"
    lines = [f'{{"customer_id": "{secret}"}}', f'{{"{secret}', "[]"]
    finished = orders.run("submit", "-", "--batch", "b", status=1, text="\n".join(lines))
    assert re.search(r"^1 +rejected +VALIDATION_FAILED .*/quantity is required", finished.out, re.MULTILINE)
    assert re.search(r"^2 +rejected +UNREADABLE_LINE The line is not one valid JSON", finished.out, re.MULTILINE)
    assert re.search(r"^3 +rejected +VALIDATION_FAILED the line must be a JSON object", finished.out, re.MULTILINE)
    assert "3 orders: 3 rejected" in finished.err
    assert secret not in finished.out + finished.err


def test_progress_bar_is_written_to_stderr(orders: OrdersCommand, customer: str) -> None:
    file = orders.directory / "orders.csv"
    file.write_text("\n".join([HEADER, *rows_of(customer, 3), "a,b"]))
    controller, terminal = pty.openpty()
    with orders.start("submit", file, stderr=terminal) as process:
        os.close(terminal)
        out, _ = process.communicate(timeout=60)
    drawn = os.read(controller, 65536).decode()
    os.close(controller)
    assert re.fullmatch(r"LINE .*\n5 +rejected .*\n", out)
    assert "Submitting" in drawn
    assert "4 orders: 3 accepted, 1 rejected" in drawn


def test_list_ends_without_an_error_when_its_output_is_closed(orders: OrdersCommand) -> None:
    with orders.start("list", "--customer", "001", "--json", "--limit", "5000") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
    assert process.returncode in (0, 141)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def dead_letters(stack: DeployedStack, orders: OrdersCommand, number: int) -> None:
    """Empty the dead-letter queue; then send this many orders to it."""
    orders.run("dlq", "drop", "--kind", "all", "--yes", "--to", f"{uuid.uuid4().hex}.jsonl")
    sqs, url = stack.client("sqs"), stack.outputs["orders_dlq_url"]
    for start in range(0, number, 10):
        bodies = [json.dumps(stack.message("signals")) for _ in range(start, min(start + 10, number))]
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def depth(stack: DeployedStack) -> tuple[int, int]:
    """Return the numbers of visible and hidden messages in the dead-letter queue."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    response = stack.client("sqs").get_queue_attributes(QueueUrl=stack.outputs["orders_dlq_url"], AttributeNames=names)
    return int(response["Attributes"][names[0]]), int(response["Attributes"][names[1]])


def test_redrive_continues_when_its_output_is_closed(stack: DeployedStack, orders: OrdersCommand) -> None:
    dead_letters(stack, orders, 3)
    with orders.start("dlq", "redrive", "--yes") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "3 messages redriven" in err
    assert depth(stack) == (0, 0)


@dataclass
class Work:
    """A command that processes many items, and its progress."""

    arguments: list[str]
    again: list[str]
    """The arguments for the remaining items."""
    total: int
    done: Callable[[], int]
    """Return the number of items at their destination."""
    report: str
    """A pattern of the final output; its group is the number of processed items."""


def work_of(command: str, stack: DeployedStack, orders: OrdersCommand, customer: str) -> Work:
    if command == "submit":
        (orders.directory / "orders.csv").write_text("\n".join([HEADER, *rows_of(customer, 200)]))
        submit = ["submit", "orders.csv"]
        return Work(submit, submit, 200, lambda: len(stack.order_ids_of(customer)), r"\d+ orders: (\d+) accepted")
    total = 60 if command == "redrive" else 400
    dead_letters(stack, orders, total)
    if command == "redrive":
        redrive = ["dlq", "redrive", "--yes"]
        moved = r"(\d+) messages? redriven"
        return Work([*redrive, "--rate", "5"], redrive, total, lambda: total - sum(depth(stack)), moved)
    files = [orders.directory / name for name in ("dropped.jsonl", "rest.jsonl")]

    def written() -> int:
        lines = [line for file in files if file.exists() for line in file.read_text().splitlines(keepends=True)]
        return len({json.loads(line)["message_id"] for line in lines if line.endswith("\n")})

    first, rest = (["dlq", "drop", "--yes", "--kind", "all", "--to", file.name] for file in files)
    return Work(first, rest, total, written, r"(\d+) messages? dropped")


@pytest.mark.parametrize(
    ("command", "number"), [("redrive", signal.SIGTERM), ("drop", signal.SIGHUP), ("submit", signal.SIGINT)]
)
def test_command_can_be_repeated_when_a_signal_ends_it(
    stack: DeployedStack, orders: OrdersCommand, customer: str, command: str, number: signal.Signals
) -> None:
    work = work_of(command, stack, orders, customer)
    with orders.start(*work.arguments) as process:
        wait_for(f"{command} to move its first items", lambda: work.done() > 10, seconds=60)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert err.endswith("orders: stopped\n")
    assert "Traceback" not in err
    [done] = map(int, re.findall(f"orders: {work.report}", err))
    assert 0 < done < work.total
    if command != "submit":
        visible, hidden = depth(stack)
        # A message whose deletion was interrupted is in both places.
        assert work.total - done - 10 <= visible <= work.total - done
        assert hidden == 0

    orders.run(*work.again)
    wait_for("the remaining items", lambda: work.done() >= work.total, seconds=90)
    assert work.done() == work.total
    assert command == "submit" or depth(stack) == (0, 0)


def test_command_ignores_sighup_when_started_with_nohup(stack: DeployedStack, orders: OrdersCommand) -> None:
    dead_letters(stack, orders, 15)

    def ignore_hangup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with orders.start("dlq", "redrive", "--yes", "--rate", "5", preexec_fn=ignore_hangup) as process:
        wait_for("the first messages to move", lambda: sum(depth(stack)) < 15)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert depth(stack) == (0, 0)


def test_pause_stops_processing_until_resume(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    try:
        paused = orders.run("pause", "--json")
        assert json.loads(paused.out) == {"processing": "Disabled", "changed": True}
        assert "order-processing-dev-orders-waiting" in paused.err
        assert json.loads(orders.run("pause", "--json").out)["changed"] is False
        body = {"customer_id": customer, "product_id": "Pear", "quantity": 1, "order_date": "2025-04-25"}
        order_id = stack.api.post(json.dumps(body).encode()).json()["order_id"]
        status = json.loads(orders.run("status", "--json").out)
        assert (status["processing"], status["notification"]) == ("Disabled", "Enabled")
        assert status["orders_queue"]["visible"] >= 1
        assert status["per_minute"]["accepted"] > 0
        assert json.loads(orders.run("show", order_id, "--json").out)["status"] == "PENDING"
    finally:
        resumed = orders.run("resume")
    assert "processing is enabled" in resumed.err
    stack.wait_until_processed(order_id)
    assert "processing  " in orders.run("status").out


def test_watch_counts_events(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    stack.warm_up()
    with orders.start("watch", "--interval", "0.5", "--json") as process:
        assert process.stdout is not None
        # After eight equal readings, the metrics of earlier events have arrived.
        first, unchanged = json.loads(process.stdout.readline()), 0
        while unchanged < 8:
            reading = json.loads(process.stdout.readline())
            unchanged = unchanged + 1 if {**reading, "time": ""} == {**first, "time": ""} else 0
            first = reading
        stack.api.post(json.dumps({"customer_id": customer}).encode())
        for quantity in range(5):
            body = {"customer_id": customer, "product_id": "Pear", "quantity": quantity + 1, "order_date": "2025-04-25"}
            stack.api.post(json.dumps(body).encode())
        deadline = time.monotonic() + 30
        reading = first
        while reading["notified"] < first["notified"] + 5 and time.monotonic() < deadline:
            reading = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    increase = {name: reading[name] - first[name] for name in ("accepted", "refused", "stored", "notified")}
    assert increase == {"accepted": 5, "refused": 1, "stored": 5, "notified": 5}
    assert process.returncode == 0
    assert "Traceback" not in err


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, orders: OrdersCommand, *arguments: str, columns: int = 200, **environment: str) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            os.chdir(orders.directory)
            os.execve(COMMAND, [str(a) for a in orders.arguments(*arguments)], {**orders.environment, **environment})
        self.text = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} is missing in {self.text!r}"
            self._read()

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        try:
            read = os.read(self._fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += read.decode("utf-8", "replace")
        return bool(read)


def test_tables_fit_the_terminal_with_complete_ids(stack: DeployedStack, orders: OrdersCommand, customer: str) -> None:
    dead_letters(stack, orders, 1)
    stored = stored_order(stack, customer)
    [group] = json.loads(orders.run("dlq", "list", "--json").out)["groups"]
    for command, order_id in {"dlq list": group["oldest"]["order_id"], f"list --customer {customer}": stored}.items():
        for columns, term in ((40, "xterm"), (80, "dumb"), (160, "xterm")):
            terminal = Terminal(orders, *command.split(), columns=columns, TERM=term)
            assert terminal.end() == 0
            lines = [line for line in terminal.text.splitlines() if not line.startswith("orders: ")]
            table = [line for line in lines if "Reading the dead-letter" not in line]
            assert max(map(len, table)) <= columns, terminal.text
            assert any(order_id in line for line in table), terminal.text
            if term == "dumb":
                assert "\x1b" not in terminal.text
                assert "\r" not in terminal.text.replace("\r\n", "\n")


@pytest.fixture
def poison(stack: DeployedStack, customer: str) -> list[str]:
    """Messages in the dead-letter queue with hostile content."""
    bodies = [f"{customer}\t{number} [red]=1+1" for number in range(3)]
    for body in bodies:
        stack.client("sqs").send_message(QueueUrl=stack.outputs["orders_dlq_url"], MessageBody=body)
    return bodies


def test_drop_asks_for_confirmation_on_a_terminal(
    stack: DeployedStack, orders: OrdersCommand, poison: list[str]
) -> None:
    terminal = Terminal(orders, "dlq", "drop", "--reason", "not JSON", "--to", "dropped.jsonl")
    terminal.wait_for("[y/N]")
    assert "the message is not JSON" in terminal.text
    terminal.type("n\n")
    assert terminal.end() == 1
    assert "Nothing was done." in terminal.text
    assert not (orders.directory / "dropped.jsonl").exists()

    shown = orders.run("dlq", "show", "--limit", "1000").out
    for body in poison:
        assert body.replace("\t", r"\t") in shown
        assert body not in shown

    terminal = Terminal(orders, "dlq", "drop", "--reason", "not JSON", "--to", "dropped.jsonl")
    terminal.wait_for("[y/N]")
    terminal.type("y\n")
    assert terminal.end() == 0
    kept = [json.loads(line)["body"] for line in (orders.directory / "dropped.jsonl").read_text().splitlines()]
    assert set(poison) <= set(kept)
    assert not [message for message in stack.dead_letters() if message["Body"] in poison]


def stored_order(stack: DeployedStack, customer: str) -> str:
    """Place an order of a customer; return its ID once it is stored."""
    body = {"customer_id": customer, "product_id": "Pear", "quantity": 1, "order_date": "2025-04-25"}
    order_id = str(stack.api.post(json.dumps(body).encode()).json()["order_id"])
    stack.wait_until_processed(order_id)
    return order_id


def notified_order(stack: DeployedStack, customer: str) -> str:
    """Place an order of a customer; return its ID once its notification is sent."""
    order_id = stored_order(stack, customer)
    wait_for("the notification", lambda: stack.events("notification", "order_notified", order_id))
    return order_id


def test_notify_sends_the_notification_of_an_order_again(
    stack: DeployedStack, orders: OrdersCommand, customer: str
) -> None:
    order_id = notified_order(stack, customer)
    with stack.subscribed_queue(stack.outputs["order_completed_topic_arn"], customer) as read:
        assert "notified 1 order" in orders.run("notify", order_id).err
        announced = wait_for("the notification", read)
    assert order_id in [json.loads(message["Message"])["order_id"] for message in announced]
    assert len(stack.events("notification", "order_notified", order_id)) == 2

    missing = stack.message("nobody")["order_id"]
    assert "no stored order" in orders.run("notify", order_id, missing, status=3).err
    assert len(stack.events("notification", "order_notified", order_id)) == 2


def stream_failure(stack: DeployedStack, order_id: str) -> dict[str, Any]:
    """Return the message that Lambda sends to the notifications' dead-letter queue when one order fails."""
    streams = stack.client("dynamodbstreams")
    table = stack.client("dynamodb").describe_table(TableName=stack.outputs["orders_table_name"])["Table"]
    arn = table["LatestStreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    while True:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if record["dynamodb"]["Keys"]["order_id"]["S"] == order_id:
                number = record["dynamodb"]["SequenceNumber"]
                return {
                    "requestContext": {"condition": "RetryAttemptsExhausted"},
                    "responseContext": {"functionError": "Unhandled"},
                    "DDBStreamBatchInfo": {
                        "shardId": shard["ShardId"],
                        "startSequenceNumber": number,
                        "endSequenceNumber": number,
                        "approximateArrivalOfFirstRecord": "2025-04-25T10:00:00Z",
                        "approximateArrivalOfLastRecord": "2025-04-25T10:00:00Z",
                        "batchSize": 1,
                        "streamArn": arn,
                    },
                }
        iterator = page["NextShardIterator"]


def test_redrive_sends_failed_notifications_from_the_stream(
    stack: DeployedStack, orders: OrdersCommand, customer: str
) -> None:
    order_id = notified_order(stack, customer)
    sqs, url = stack.client("sqs"), stack.outputs["notifications_dlq_url"]
    entry = stream_failure(stack, order_id)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(entry))
    expired = {**entry, "DDBStreamBatchInfo": {**entry["DDBStreamBatchInfo"], "startSequenceNumber": "1".zfill(21)}}
    expired["requestContext"] = {"condition": "MaximumRecordAgeExceeded"}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(expired))

    assert "RetryAttemptsExhausted, Unhandled" in orders.run("dlq", "list", "--notifications").out
    finished = orders.run("dlq", "redrive", "--notifications", "--yes", status=1)

    assert "1 message redriven; notified 1 order" in finished.err
    assert "the stream no longer holds the orders of 1 entry" in finished.err
    assert len(stack.events("notification", "order_notified", order_id)) == 2
    [left] = orders.run("dlq", "show", "--notifications", "--json").out.splitlines()
    assert json.loads(left)["reason"] == "MaximumRecordAgeExceeded, Unhandled"
    orders.run("dlq", "drop", "--notifications", "--yes", "--to", "entries.jsonl")
    assert json.loads(orders.run("dlq", "list", "--notifications", "--json").out)["messages"] == 0


def on_aws(stack: DeployedStack, *arguments: str | Path, **changes: str) -> Finished:
    """Run the command as for a deployment on AWS, with the emulator as the endpoint."""
    return run_here(*arguments, environment={**tool_environment(stack.local.connection), **changes})


def test_cloudformation_stack_is_found_by_its_name(stack: DeployedStack) -> None:
    listed = ["list", "--customer", "operator", "--stack", "order-processing-dev"]
    found = on_aws(stack, *listed)
    assert found.status == 0
    assert "the CloudFormation stack order-processing-dev in us-east-1" in found.err
    missing = on_aws(stack, "list", "--customer", "001", "--stack", "order-procesing-dev")
    assert (missing.status, missing.out) == (1, "")
    assert "There is no CloudFormation stack order-procesing-dev in us-east-1" in missing.err
    unknown = on_aws(stack, *listed, AWS_ACCESS_KEY_ID="AKIAUNKNOWN", AWS_SECRET_ACCESS_KEY="unknown")
    assert unknown.status == 1
    assert "AWS rejected your credentials" in unknown.err


def test_terraform_outputs_are_found_by_their_directory(terraform_stack: LocalStack) -> None:
    directory = terraform_stack.settings.local_directory / "terraform" / "deployment"
    found = on_aws(DeployedStack(terraform_stack), "dlq", "list", "--json", "--terraform", directory)
    assert found.status == 0
    assert "messages" in json.loads(found.out)
    assert "the Terraform deployment of" in found.err


def test_restore_inserts_lost_orders_and_lists_changed_ones(
    stack: DeployedStack, orders: OrdersCommand, announcements: Callable[[], list[Any]]
) -> None:
    dynamodb, table = stack.client("dynamodb"), stack.outputs["orders_table_name"]
    ids = [stack.api.post(SAMPLE_BODY).json()["order_id"] for _ in range(12)]
    before = {order_id: stack.wait_until_processed(order_id) for order_id in ids}
    copy, lost, changed = f"restored-{uuid.uuid4().hex[:8]}", ids[:10], ids[10]
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, UseLatestRestorableTime=True)
    dynamodb.get_waiter("table_exists").wait(TableName=copy)
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
    assert comparison["missing"] == 10
    assert changed in comparison["different"]
    restored = orders.run("restore", copy, "--yes")

    assert changed in restored.out
    assert "10 orders restored" in restored.err
    unchanged = [*lost, ids[11]]
    assert {order_id: stack.wait_until_processed(order_id) for order_id in unchanged} == {
        order_id: before[order_id] for order_id in unchanged
    }
    assert stack.api.get(changed).json()["quantity"] == 7
    again: list[str] = []

    def notified_again() -> bool:
        again.extend(document["order_id"] for document in announcements())
        return set(again) >= set(lost)

    wait_for("the notifications", notified_again)
    assert changed not in again
    assert "there is nothing to restore" in orders.run("restore", copy, "--yes").err
    dynamodb.delete_table(TableName=copy)
