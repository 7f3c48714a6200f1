"""The local stack on the real emulator: what it supplies, what it keeps, and what it leaves behind."""

import io
import json
import mailbox
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStack, LocalStackError
from local_stack.machine import free_port, require_free
from local_stack.report import Terminal
from local_stack.run_lock import RunLock
from orders.domain.announcement import announce
from orders.domain.order import Order, ProcessedOrder
from support.deployment.by_hand import EMAIL, BackendByHand, install, settings_by_hand
from support.repository.files import REPOSITORY
from support.waiting import wait_for

PROCESSED = ProcessedOrder(
    "faf2e299-4a13-8274-9d58-d0dcc37881a5",
    Order("001", "Banana", 1, "2025-04-25"),
    "2026-11-23T07:37:41.554Z",
    "2026-11-23T07:37:42.865Z",
)


@pytest.fixture(scope="module")
def by_hand() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch.setattr)
        yield


@pytest.fixture(scope="module")
def stack(by_hand: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = settings_by_hand(tmp_path_factory.mktemp("local-stack"), free_port(), free_port())
    with LocalStack(settings) as running:
        yield running
        running.require_running()


@pytest.fixture
def new_stack(by_hand: None, tmp_path: Path) -> Callable[[], LocalStack]:
    """Return what makes one local stack after the other on the same directory and ports."""
    settings = settings_by_hand(tmp_path, free_port(), free_port())
    return lambda: LocalStack(settings)


def emails_in(stack: LocalStack, subject: str) -> list[Message]:
    return [email for email in mailbox.Maildir(stack.mailbox) if subject in email["Subject"]]


def alarm_states(stack: LocalStack) -> dict[str, str]:
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}


def put_order(stack: LocalStack, order_id: str) -> None:
    stack.client("dynamodb").put_item(TableName="orders", Item={"order_id": {"S": order_id}})


def order_ids(stack: LocalStack) -> set[str]:
    return {item["order_id"]["S"] for item in stack.client("dynamodb").scan(TableName="orders")["Items"]}


def assert_nothing_is_left(stack: LocalStack) -> None:
    directory = stack.settings.local_directory
    # Every process of the run holds the lock.
    with RunLock(directory):
        pass
    require_free(stack.settings.storefront_port, "the storefront", "PORT")
    require_free(stack.settings.aws_port, "the emulator", "AWS_PORT")
    assert not (directory / "stack.json").exists()


def test_a_ready_stack_describes_itself_in_one_file(stack: LocalStack) -> None:
    description = json.loads((stack.settings.local_directory / "stack.json").read_text())
    assert description == {
        **stack.outputs,
        "api_endpoint": stack.api_url,
        "endpoint_url": f"http://127.0.0.1:{stack.settings.aws_port}",
        "region": "us-east-1",
        "storefront_url": f"http://localhost:{stack.settings.storefront_port}",
        "mailbox": str(stack.settings.local_directory / "mailbox"),
        "access_key_id": stack.connection.credentials.access_key,
        "secret_access_key": stack.connection.credentials.secret_key,
    }


def test_the_storefront_is_served_for_an_api_address_that_every_client_can_reach(stack: LocalStack) -> None:
    assert stack.api_url == f"{stack.endpoint_url}/_aws/execute-api/0a1b2c3d/$default"
    with urllib.request.urlopen(f"{stack.storefront_url}/config.js", timeout=10) as answer:
        assert json.dumps(stack.api_url) in answer.read().decode()


def test_a_new_alarm_that_turns_out_to_be_ok_is_no_news(stack: LocalStack) -> None:
    assert set(alarm_states(stack).values()) <= {"OK", "ALARM"}
    assert not emails_in(stack, "OK:")


def test_a_message_in_a_dead_letter_queue_rings_its_own_alarm_only_and_reaches_a_person(stack: LocalStack) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["orders_dlq_url"], MessageBody="poison")
    [email] = wait_for("the e-mail", lambda: emails_in(stack, "ALARM:"))
    assert email["To"] == EMAIL
    assert email["Subject"] == 'ALARM: "orders-dlq" in us-east-1'
    assert "Something waits in orders-dlq." in email.as_string()
    assert alarm_states(stack)["orders-dlq"] == "ALARM"
    # Another alarm that had rung would have done so in the same evaluation.
    assert not emails_in(stack, "notifications-dlq")


def test_the_queue_metric_is_put_for_each_queue_by_itself(stack: LocalStack) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["orders_dlq_url"], MessageBody="poison")

    def maximum_of(queue_name: str) -> float | None:
        now = datetime.now(UTC)
        datapoints = stack.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": queue_name}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=300,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max((float(datapoint["Maximum"]) for datapoint in datapoints), default=None)

    wait_for("the message in the metric", lambda: (maximum_of("orders-dlq") or 0) > 0)
    assert maximum_of("notifications-dlq") == 0


def test_a_completed_order_reaches_a_person_in_words_not_in_json(stack: LocalStack) -> None:
    announcement = announce(PROCESSED)
    stack.client("sns").publish(
        TopicArn=stack.outputs["order_completed_topic_arn"],
        Subject=announcement.subject,
        MessageStructure="json",
        Message=json.dumps({"default": announcement.document, "email": announcement.text}),
    )
    [email] = wait_for("the e-mail", lambda: emails_in(stack, announcement.subject))
    assert announcement.text.strip() in email.as_string()


def test_orders_and_subscriptions_are_there_once_after_a_new_start(new_stack: Callable[[], LocalStack]) -> None:
    with new_stack() as first:
        put_order(first, "kept")
    assert_nothing_is_left(first)
    with new_stack() as second:
        assert order_ids(second) == {"kept"}
        subscriptions = second.client("sns").list_subscriptions()["Subscriptions"]
    assert sorted(subscription["Protocol"] for subscription in subscriptions) == ["email", "email", "sqs", "sqs"]


def test_after_a_new_start_only_what_has_changed_is_told(new_stack: Callable[[], LocalStack]) -> None:
    with new_stack() as first:
        first.client("sqs").send_message(QueueUrl=first.outputs["orders_dlq_url"], MessageBody="poison")
        wait_for("the e-mail", lambda: emails_in(first, "ALARM:"))
    with new_stack() as second:
        second.client("sqs").send_message(QueueUrl=second.outputs["notifications_dlq_url"], MessageBody="poison")
        wait_for("the e-mail", lambda: emails_in(second, "notifications-dlq"))
        subjects = [email["Subject"] for email in emails_in(second, "")]
    assert sorted(subjects) == ['ALARM: "notifications-dlq" in us-east-1', 'ALARM: "orders-dlq" in us-east-1']


def test_a_deployment_that_fails_leaves_nothing_running(
    new_stack: Callable[[], LocalStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise LocalStackError("The deployment failed.")

    monkeypatch.setattr(BackendByHand, "deploy", fail)
    stack = new_stack()
    with pytest.raises(LocalStackError, match=r"^The deployment failed\.$"):
        stack.__enter__()
    assert_nothing_is_left(stack)


def test_a_second_stack_on_the_same_ports_is_refused_and_the_first_goes_on(stack: LocalStack, tmp_path: Path) -> None:
    settings = settings_by_hand(tmp_path, stack.settings.storefront_port, free_port())
    with pytest.raises(LocalStackError, match="meant for the storefront, is taken"):
        LocalStack(settings).__enter__()
    stack.require_running()


def started_program(stack: LocalStack, *prefix: str) -> "subprocess.Popen[str]":
    """Run the program with the settings of `stack`, by a command such as nohup; return it when it is ready."""
    settings = stack.settings
    process = subprocess.Popen(
        [
            *prefix,
            sys.executable,
            *("-m", "support.deployment.by_hand"),
            str(settings.local_directory),
            str(settings.storefront_port),
            str(settings.aws_port),
        ],
        env={**os.environ, "PYTHONPATH": ":".join(str(REPOSITORY / name) for name in ("scripts", "lambda", "tests"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a shell gives each command; so that a signal for the group reaches no test.
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C stops everything" in line:
            break
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(new_stack: Callable[[], LocalStack], number: signal.Signals) -> None:
    stack = new_stack()
    with started_program(stack) as process:
        os.killpg(process.pid, number)
        # Impatience changes nothing.
        os.killpg(process.pid, number)
        assert process.stdout is not None
        said = process.stdout.read()
    assert said.split("\n") == ["", "Stopping", "Stopped; the orders are kept for the next time.", ""]
    assert process.returncode == 0
    assert_nothing_is_left(stack)


def test_signals_that_are_switched_off_do_not_stop_it(new_stack: Callable[[], LocalStack]) -> None:
    stack = new_stack()
    # As a shell starts `nohup make run &`.
    with started_program(stack, "sh", "-c", "trap '' INT; exec nohup \"$@\"", "sh") as process:
        os.killpg(process.pid, signal.SIGHUP)
        os.killpg(process.pid, signal.SIGINT)
        put_order(stack, "kept")
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout is not None
        assert "the orders are kept" in process.stdout.read()


def test_failed_save_is_reported_at_once_and_as_a_failure(new_stack: Callable[[], LocalStack]) -> None:
    stack = new_stack()
    with started_program(stack) as process:
        put_order(stack, "lost")
        # A folder is in the way of the file.
        (stack.settings.local_directory / "by-hand" / "emulator" / "state" / "dynamodb.json").mkdir(parents=True)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 1
    assert "make run: Stopped, but orders of this run may be lost." in said


def test_interrupted_first_deployment_leaves_no_promise_and_no_trace(
    new_stack: Callable[[], LocalStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    deploy = BackendByHand.deploy

    def interrupted(*arguments: Any) -> Any:
        deploy(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BackendByHand, "deploy", interrupted)
        stack = new_stack()
        vars(stack)["_report"] = Terminal(said)
        with pytest.raises(KeyboardInterrupt):
            stack.__enter__()
    assert said.getvalue().endswith(
        "Stopped before the first deployment was complete; the next start begins with nothing.\n"
    )
    with new_stack() as second:
        assert order_ids(second) == set()


def test_orders_are_kept_even_when_the_runner_is_killed(new_stack: Callable[[], LocalStack]) -> None:
    killed = new_stack()
    with started_program(killed) as process:
        put_order(killed, "kept")
        process.kill()

    def let_go() -> bool:
        try:
            with RunLock(killed.settings.local_directory):
                return True
        except LocalStackError:
            return False

    wait_for("the end of its processes", let_go)
    with new_stack() as stack:
        assert order_ids(stack) == {"kept"}


def test_a_directory_deleted_meanwhile_ends_the_run_and_leaves_the_next_ones_files_alone(
    new_stack: Callable[[], LocalStack],
) -> None:
    stack = new_stack()
    directory = stack.settings.local_directory
    with pytest.raises(LocalStackError, match="was deleted while the system ran"), stack:
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "lock").touch()
        (directory / "stack.json").write_text("of another stack")
        stack.watch()
    assert (directory / "stack.json").read_text() == "of another stack"


def test_an_emulator_that_ends_by_itself_ends_the_run_with_an_error(new_stack: Callable[[], LocalStack]) -> None:
    stack = new_stack()
    with started_program(stack) as process:
        pid_file = stack.settings.local_directory / "by-hand" / "emulator" / "tmp"
        os.kill(int((pid_file / f"ministack-{stack.settings.aws_port}.pid").read_text()), signal.SIGKILL)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 1
    assert "make run: The emulator ended by itself with status 137." in said
    assert "orders of this run may be lost" in said
    assert_nothing_is_left(stack)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("PORT=abc", "PORT=abc is not a port"),
        ("DEPLOY=by-magic", "DEPLOY=by-magic is not a way to deploy"),
        ("NOTIFICATION_EMAIL=nobody", "NOTIFICATION_EMAIL=nobody is not an e-mail address"),
    ],
)
def test_a_wrong_choice_is_one_sentence_and_a_failure(variable: str, said: str) -> None:
    name, value = variable.split("=")
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'scripts'}:{REPOSITORY / 'lambda'}", name: value}
    answer = subprocess.run(
        [sys.executable, "-m", "local_stack"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"\nmake run: {said}")
    assert answer.stderr.count("\n") == 2
