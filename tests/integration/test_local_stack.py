"""The local stack on the real emulator: its description, e-mails, saved state and shutdown."""

import io
import json
import mailbox
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local_stack import LocalStack, LocalStackError
from local_stack.machine import RunLock, free_port, require_free
from local_stack.report import Report
from support.deployment.stub_backend import EMAIL, StubBackend, install, stub_settings
from support.repository.files import REPOSITORY
from support.waiting import wait_for


@pytest.fixture
def new_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LocalStack]:
    """Return a function that makes local stacks with the same directory and ports."""
    install(monkeypatch.setattr)
    settings = stub_settings(tmp_path, free_port(), free_port())
    return lambda report=None: LocalStack(settings, report)


def emails_in(stack: LocalStack, subject: str) -> list[Message]:
    return [email for email in mailbox.Maildir(stack.mailbox) if subject in email["Subject"]]


def send_poison(stack: LocalStack, queue: str) -> None:
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody="poison")


def put_order(stack: LocalStack, order_id: str) -> None:
    stack.client("dynamodb").put_item(TableName="orders", Item={"order_id": {"S": order_id}})


def order_ids(stack: LocalStack) -> set[str]:
    return {item["order_id"]["S"] for item in stack.client("dynamodb").scan(TableName="orders")["Items"]}


def stream_of(stack: LocalStack) -> list[tuple[str, str]]:
    """Return the sequence number and the order's ID of each record in the table's stream, oldest first."""
    arn = stack.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    streams = stack.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return [(each["dynamodb"]["SequenceNumber"], each["dynamodb"]["Keys"]["order_id"]["S"]) for each in records]


def assert_nothing_is_left(stack: LocalStack) -> None:
    directory = stack.settings.local_directory
    # Every process of the run holds the lock.
    with RunLock(directory):
        pass
    require_free(stack.settings.storefront_port, "the storefront", "PORT")
    require_free(stack.settings.aws_port, "the emulator", "AWS_PORT")
    assert not (directory / "stack.json").exists()


def assert_described(stack: LocalStack) -> None:
    description = json.loads((stack.settings.local_directory / "stack.json").read_text())
    assert description == {
        **stack.outputs,
        "api_endpoint": f"{stack.endpoint_url}/_aws/execute-api/0a1b2c3d/$default",
        "endpoint_url": f"http://127.0.0.1:{stack.settings.aws_port}",
        "region": "us-east-1",
        "storefront_url": f"http://localhost:{stack.settings.storefront_port}",
        "mailbox": str(stack.settings.local_directory / "mailbox"),
        "access_key_id": stack.connection.credentials.access_key,
        "secret_access_key": stack.connection.credentials.secret_key,
    }
    with urllib.request.urlopen(f"{stack.storefront_url}/config.js", timeout=10) as response:
        assert json.dumps(stack.api_url) in response.read().decode()


def started_program(stack: LocalStack, *prefix: str) -> "subprocess.Popen[str]":
    """Run the program with the settings of `stack`, prefixed by a command such as nohup; return it when ready."""
    settings = stack.settings
    process = subprocess.Popen(
        [
            *prefix,
            sys.executable,
            *("-m", "support.deployment.stub_backend"),
            str(settings.local_directory),
            str(settings.storefront_port),
            str(settings.aws_port),
        ],
        env={**os.environ, "PYTHONPATH": ":".join(str(REPOSITORY / name) for name in ("scripts", "lambda", "tests"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A signal to the program's group must not reach the tests.
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C stops everything" in line:
            break
    return process


def output_after(process: "subprocess.Popen[str]", *signals: signal.Signals) -> str:
    """Send signals to the program's group; return its remaining output."""
    for number in signals:
        os.killpg(process.pid, number)
    assert process.stdout is not None
    with process:
        return process.stdout.read()


def test_orders_and_emails_are_kept_when_a_signal_or_kill_stops_the_program(
    new_stack: Callable[..., LocalStack],
) -> None:
    stack = new_stack()
    process = started_program(stack)
    put_order(stack, "SIGTERM")
    assert not emails_in(stack, "")
    send_poison(stack, "orders-dlq")
    wait_for("the e-mail", lambda: emails_in(stack, "orders-dlq"))
    # Another alarm would have been raised in the same evaluation.
    [email] = emails_in(stack, "")
    assert (email["From"], email["To"]) == ("AWS Notifications <no-reply@sns.amazonaws.com>", EMAIL)
    # Neither quoted-printable nor base64, because `grep` must find the text in the file.
    text = email.as_bytes().decode()
    assert "The alarm orders-dlq has changed from OK to ALARM.\n" in text
    assert "\nMessages are in orders-dlq – inspect the queue.\n" in text
    assert "\nReason:  Threshold Crossed: 1 of the last 1 datapoints [1.0] breached" in text
    # A second signal is ignored.
    printed = output_after(process, signal.SIGTERM, signal.SIGINT)
    assert printed.endswith("\nStopping\nStopped; the orders are kept for the next time.\n")
    assert process.returncode == 0
    assert_nothing_is_left(stack)

    # Like `nohup make run &` in a shell: SIGHUP and SIGINT are ignored.
    process = started_program(stack, "sh", "-c", "trap '' INT; exec nohup \"$@\"", "sh")
    os.killpg(process.pid, signal.SIGHUP)
    os.killpg(process.pid, signal.SIGINT)
    put_order(stack, "SIGKILL")
    send_poison(stack, "notifications-dlq")
    wait_for("the e-mail", lambda: emails_in(stack, "notifications-dlq"))
    assert process.poll() is None
    process.kill()
    process.communicate()

    def is_released() -> bool:
        try:
            with RunLock(stack.settings.local_directory):
                return True
        except LocalStackError:
            return False

    wait_for("the end of its processes", is_released)
    screen = io.StringIO()
    with pytest.raises(LocalStackError, match="was deleted while the system ran"), new_stack(Report(screen)) as last:
        assert "orders of that run are lost" not in screen.getvalue()
        assert_described(last)
        assert [order_id for _, order_id in sorted(stream_of(last))] == ["SIGTERM", "SIGKILL"]
        assert order_ids(last) == {"SIGTERM", "SIGKILL"}
        # After a restart, only new state changes send e-mails.
        subscriptions = last.client("sns").list_subscriptions()["Subscriptions"]
        assert sorted(each["Protocol"] for each in subscriptions) == ["email", "email", "sqs", "sqs"]
        subjects = [email["Subject"] for email in emails_in(last, "")]
        assert sorted(subjects) == ['ALARM: "notifications-dlq" in us-east-1', 'ALARM: "orders-dlq" in us-east-1']
        shutil.rmtree(last.settings.local_directory)
        last.watch()


def test_lost_orders_are_reported_at_once_and_at_the_next_start(new_stack: Callable[..., LocalStack]) -> None:
    stack = new_stack()
    emulator = stack.settings.local_directory / "stub" / "emulator"
    process = started_program(stack)
    os.kill(int((emulator / "tmp" / f"ministack-{stack.settings.aws_port}.pid").read_text()), signal.SIGKILL)
    printed = output_after(process)
    assert process.returncode == 1
    assert "make run: The emulator ended unexpectedly with status 137." in printed
    assert "orders of this run may be lost" in printed
    assert_nothing_is_left(stack)

    screen = io.StringIO()
    lost = r"(?s)Stopped, but orders of this run may be lost\..* could not be saved completely .* save dynamodb"
    with pytest.raises(LocalStackError, match=lost), new_stack(Report(screen)):
        # The emulator cannot save, because a directory has the file's name.
        (emulator / "state" / "dynamodb.json").mkdir(parents=True)
    assert "ended before the emulator could save its state: the orders of that run are lost." in screen.getvalue()
    assert "The emulator has lost its state (was it killed?), so a new backend is created." in screen.getvalue()

    (emulator / "state" / "dynamodb.json").rmdir()
    state = emulator / "state" / "sqs.json"
    state.write_text("half of it")
    with pytest.raises(LocalStackError, match=r"sqs\.json cannot be read: .* Repair it, or move .*state away"):
        new_stack().__enter__()
    assert state.read_text() == "half of it"


def test_interrupted_first_deployment_leaves_nothing_running(
    new_stack: Callable[..., LocalStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StubBackend, "deploy", MagicMock(side_effect=KeyboardInterrupt))
    screen = io.StringIO()
    stack = new_stack(Report(screen))
    with pytest.raises(KeyboardInterrupt):
        stack.__enter__()
    assert screen.getvalue().endswith("No complete deployment is left, so the next start begins without data.\n")
    assert_nothing_is_left(stack)
