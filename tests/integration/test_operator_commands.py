"""The operator's commands on AWS in process (moto): what they ask, what they change and what they leave alone."""

import csv
import io
import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from fake_aws.events import item_of
from fake_aws.logs import FakeLogs
from fake_aws.sqs import refusal
from machine.orders_command import COMMAND
from orders.domain.errors import StoreUnavailableError
from orders.domain.message import write_message
from orders.domain.order import Order, ProcessedOrder, format_timestamp
from orders.domain.order_id import derived_order_id
from orders_cli import options
from orders_cli.order_api import Submission, Verdict
from orders_cli.program import run
from orders_cli.queue import Queue
from orders_cli.restore import Restored
from orders_cli.system import System
from sample_orders import SAMPLE_ORDER, submitted

START = datetime.fromisoformat("2025-04-25T10:00:00+00:00")


class Shop:
    """A system in moto: queues, table and a log, but no functions and no API."""

    def __init__(self, environment: str = "dev") -> None:
        self.sqs = boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")
        self.logs = FakeLogs()
        name = f"order-processing-{environment}"
        dlq = self.sqs.create_queue(QueueName=f"{name}-orders-dlq")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "5"})
        self.outputs = {
            "api_endpoint": "http://api.invalid",
            "orders_table_name": f"{name}-orders",
            "orders_queue_url": self.sqs.create_queue(
                QueueName=f"{name}-orders", Attributes={"RedrivePolicy": redrive}
            )["QueueUrl"],
            "orders_dlq_url": dlq,
            "notifications_dlq_url": self.sqs.create_queue(QueueName=f"{name}-notifications-dlq")["QueueUrl"],
        }
        self.dynamodb.create_table(
            TableName=f"{name}-orders",
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": field, "AttributeType": "S"} for field in ("order_id", "customer_id", "submitted_at")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_customer",
                    "KeySchema": [
                        {"AttributeName": "customer_id", "KeyType": "HASH"},
                        {"AttributeName": "submitted_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def connect(self, service: str) -> Any:
        return {"logs": self.logs, "sqs": MoveTasksMissing(self.sqs)}.get(service) or boto3.client(service)

    def store(self, *orders: ProcessedOrder) -> None:
        for order in orders:
            item = {name: {"S": str(value)} for name, value in order.to_document().items()}
            item["quantity"] = {"N": str(order.order.quantity)}
            self.dynamodb.put_item(TableName=self.outputs["orders_table_name"], Item=item)

    def bury(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.outputs["orders_dlq_url"], MessageBody=body)

    def visible(self, queue: str = "orders_dlq_url") -> list[str]:
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return sorted(message["Body"] for message in answer.get("Messages", []))


class MoveTasksMissing:
    """SQS as an emulator has it: moto raises NotImplementedError where others answer."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def list_message_move_tasks(self, **_: Any) -> Any:
        raise refusal("InvalidAction", "ListMessageMoveTasks")


@pytest.fixture(params=["dev"])
def shop(request: pytest.FixtureRequest, aws: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(request.param)
    monkeypatch.setattr(
        options, "find_system", lambda _: System("a shop of moto", made.outputs, made.connect, is_local=True)
    )
    # Long polling of an empty queue takes its second in moto too.
    monkeypatch.setattr("orders_cli.queue._WAIT_SECONDS", 0)
    return made


in_production = pytest.mark.parametrize("shop", ["prod"], indirect=True)


def order_of(number: int, **changes: Any) -> ProcessedOrder:
    moment = format_timestamp(START + timedelta(minutes=number))
    order = Order(**{**vars(SAMPLE_ORDER), "customer_id": "001", **changes})
    return ProcessedOrder(derived_order_id(SAMPLE_ORDER, str(number)), order, moment, moment)


POISON = ["poison 1", "poison 2", "<poison/>"]


# list


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert run(["list", "--customer", "001", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_orders_are_listed_by_time_the_newest_first_or_last(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    orders = [order_of(number) for number in range(5)]
    shop.store(*orders, order_of(9, customer_id="002"))
    documents = [order.to_document() for order in orders]
    assert listed(capsys, "--oldest-first") == documents
    assert listed(capsys) == documents[::-1]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--since", "2025-04-25T10:02:00Z"], [2, 3, 4]),
        (["--until", "2025-04-25T10:02:00Z"], [0, 1, 2]),
        (["--since", "2025-04-25T12:01:00+02:00", "--until", "2025-04-25T10:03"], [1, 2, 3]),
        (["--since", "2026-01-01"], []),
        (["--since", "2025-04-25"], [0, 1, 2, 3, 4]),
    ],
)
def test_orders_are_listed_of_a_time_only(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], numbers: list[int]
) -> None:
    shop.store(*[order_of(number) for number in range(5)])
    found = listed(capsys, "--oldest-first", *arguments)
    assert found == [order_of(number).to_document() for number in numbers]


def test_a_limit_says_that_there_is_more_and_how_to_go_on(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(*[order_of(number) for number in range(5)])
    assert run(["list", "--customer", "001", "--limit", "2", "--json"]) == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 2
    assert "there are more: raise --limit, or go on with --until 2025-04-25T10:02:00.000Z" in output.err
    assert len(listed(capsys, "--until", "2025-04-25T10:02:00.000Z")) == 3
    assert run(["list", "--customer", "001", "--limit", "5"]) == 0
    assert "there are more" not in capsys.readouterr().err


def test_the_csv_holds_all_orders_and_no_formula(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(0, product_id="-1+cmd|' /C calc'!A0"), order_of(1, product_id='a "b", c'))
    assert run(["list", "--customer", "001", "--format", "csv", "--oldest-first"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["product_id"] for row in rows] == ["'-1+cmd|' /C calc'!A0", 'a "b", c']
    assert [row["order_id"] for row in rows] == [order_of(0).order_id, order_of(1).order_id]


def test_a_time_that_ends_before_it_begins_is_wrong_use(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--customer", "001", "--since", "1d", "--until", "2d"]) == 2
    assert "--since is later than --until" in capsys.readouterr().err


def test_an_item_that_is_not_whole_is_told_by_its_id(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    order, neighbour = order_of(1), order_of(2)
    shop.store(order, neighbour)
    shop.dynamodb.update_item(
        TableName=shop.outputs["orders_table_name"],
        Key={"order_id": {"S": order.order_id}},
        UpdateExpression="REMOVE quantity",
    )
    assert run(["show", order.order_id]) == 1
    assert f"The item of order {order.order_id} is not whole" in capsys.readouterr().err

    assert run(["list", "--customer", "001"]) == 1
    listed = capsys.readouterr()
    assert neighbour.order_id in listed.out
    assert f"The item of order {order.order_id} is not whole" in listed.err


# show


def shown(capsys: pytest.CaptureFixture[str], order_id: str) -> tuple[int, dict[str, Any]]:
    status = run(["show", order_id, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_stored_order_is_shown_by_its_id_in_either_case(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(1))
    status, document = shown(capsys, order_of(1).order_id.upper())
    assert (status, document) == (0, {"status": "PROCESSED", **order_of(1).to_document()})


def test_an_order_in_the_dead_letter_queue_is_shown_with_its_reason(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.bury(write_message(submitted()), *POISON)
    status, document = shown(capsys, submitted().order_id)
    assert status == 0
    assert (document["status"], document["reason"]) == ("DEAD_LETTER", "nothing was logged about it")
    assert "customer_id" not in document
    assert len(shop.visible()) == 4


def test_an_order_that_was_accepted_and_is_nowhere_else_is_pending(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.dumps({"message": "order_accepted", "order_id": submitted().order_id, "request_id": "r"})
    group = "/aws/lambda/order-processing-dev-submission"
    now = int(datetime.now().timestamp() * 1000)
    shop.logs.groups[group] = [{"eventId": "e", "timestamp": now, "message": line}]
    status, document = shown(capsys, submitted().order_id)
    assert (status, document["status"]) == (0, "PENDING")
    assert "accepted_at" in document


def test_an_order_that_nobody_has_heard_of_is_unknown(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    status, document = shown(capsys, submitted().order_id)
    assert (status, document["status"]) == (3, "UNKNOWN")


@pytest.mark.parametrize("text", ["nonsense", "00000000-0000-8000-8000-000000000000", ""])
def test_an_id_that_was_never_issued_is_told_without_a_look(
    shop: Shop, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run(["show", text]) == 3
    assert "checksum is wrong. Look for typos" in capsys.readouterr().err
    assert shop.logs.requests == []


# dlq


def dead_orders(number: int) -> list[str]:
    return [write_message(submitted(str(place))) for place in range(number)]


def test_listing_changes_nothing_and_groups_by_reason(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*POISON, *dead_orders(2))
    assert run(["dlq", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["messages"] == 5
    assert [(group["count"], group["reason"], group["kind"]) for group in document["groups"]] == [
        (3, "the message is not JSON", "UNREADABLE"),
        (2, "nothing was logged about it", "UNKNOWN"),
    ]
    assert len(shop.visible()) == 5


def test_all_of_a_long_queue_are_listed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*[f"poison {number}" for number in range(234)])
    assert run(["dlq", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 234
    assert Queue(shop.sqs, shop.outputs["orders_dlq_url"]).depth().visible == 234


def test_a_message_is_shown_with_its_content_and_harmless(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury("poison\twith [red]markup[/red]", *dead_orders(1))
    assert run(["dlq", "show", "--reason", "NOT JSON"]) == 0
    out = capsys.readouterr().out
    assert r"poison\twith [red]markup[/red]" in out
    assert submitted("0").order_id not in out
    assert len(shop.visible()) == 2


def test_showing_what_is_not_there_is_told(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dlq", "show"]) == 3
    assert "no such message" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["redrive", "drop"])
def test_without_a_yes_nothing_is_done(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.bury(*POISON)
    assert run(["dlq", command]) == 1
    output = capsys.readouterr()
    assert "the message is not JSON" in output.out
    assert "Nothing was done, because nobody can be asked here: add --yes" in output.err
    assert run(["dlq", command, "--dry-run"]) == 0
    assert run(["dlq", command, "--dry-run", "--yes"]) == 0
    assert "3 messages would be" in capsys.readouterr().err
    assert shop.visible() == sorted(POISON)
    assert shop.visible("orders_queue_url") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["redrive", "drop"])
def test_an_empty_queue_is_no_failure(shop: Shop, command: str, tmp_path: Path, capsys: Any) -> None:
    more = ["--to", str(tmp_path / "file")] if command == "drop" else []
    assert run(["dlq", command, "--yes", *more]) == 0
    assert "there is nothing to" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_whole_queue_is_brought_back_by_the_tool_where_sqs_cannot(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.bury(*POISON)
    assert run(["dlq", "redrive", "--yes"]) == 0
    assert "SQS has no move task here" in capsys.readouterr().err
    assert (shop.visible(), shop.visible("orders_queue_url")) == ([], sorted(POISON))


def test_a_selection_is_brought_back_and_the_rest_left(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    [first, second] = dead_orders(2)
    shop.bury(*POISON, first, second)
    assert run(["dlq", "redrive", "--yes", "--order", submitted("1").order_id]) == 0
    assert shop.visible("orders_queue_url") == [second]
    assert run(["dlq", "redrive", "--yes", "--reason", "not json", "--limit", "2"]) == 0
    assert len(shop.visible("orders_queue_url")) == 3
    assert len(shop.visible()) == 2


def test_what_somebody_else_is_looking_at_is_told_and_left(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*POISON)
    shop.sqs.receive_message(QueueUrl=shop.outputs["orders_dlq_url"], VisibilityTimeout=60)
    assert run(["dlq", "redrive", "--yes"]) == 1
    assert "1 message could not be seen from the beginning: run this again" in capsys.readouterr().err
    assert len(shop.visible("orders_queue_url")) == 2


def test_what_is_dropped_is_in_a_file_and_can_be_brought_back(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.bury(*POISON, *dead_orders(1))
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == 0
    assert shop.visible() == []
    assert run(["dlq", "redrive", "--from", str(path), "--reason", "not JSON", "--yes"]) == 0
    assert shop.visible("orders_queue_url") == sorted(POISON)
    assert run(["dlq", "redrive", "--from", str(path), "--order", submitted("0").order_id, "--yes"]) == 0
    assert len(shop.visible("orders_queue_url")) == 4
    assert len(path.read_text().splitlines()) == 4


def test_a_file_that_is_there_stays_and_so_do_the_messages(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.bury(*POISON)
    path = tmp_path / "precious"
    path.write_text("precious")
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == 1
    assert "not overwritten" in capsys.readouterr().err
    assert (path.read_text(), shop.visible()) == ("precious", sorted(POISON))


@pytest.mark.parametrize("arguments", [["redrive"], ["show"], ["drop"]])
def test_an_order_id_with_a_typo_is_wrong_use(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["dlq", *arguments, "--order", "00000000-0000-8000-8000-000000000000"]) == 2
    assert "look for typos" in capsys.readouterr().err


def test_entries_of_notifications_are_listed_and_dropped(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.sqs.send_message(QueueUrl=shop.outputs["notifications_dlq_url"], MessageBody="strange")
    assert run(["dlq", "list", "--notifications"]) == 0
    assert "it is no entry of Lambda's" in capsys.readouterr().out
    assert run(["dlq", "redrive", "--notifications", "--yes"]) == 1
    assert len(shop.visible("notifications_dlq_url")) == 1
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--notifications", "--yes", "--to", str(path)]) == 0
    assert shop.visible("notifications_dlq_url") == []
    assert json.loads(path.read_text())["body"] == "strange"


# What changes something in production


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["list"], 0, "the dead-letter queue of notifications is empty"),
        (["show"], 3, "There is no such entry"),
        (["redrive", "--yes"], 0, "there is nothing to announce again"),
        (["drop", "--yes", "--to", "aside.jsonl"], 0, "there is nothing to drop"),
    ],
)
def test_without_failed_announcements_there_is_nothing_to_do(
    shop: Shop,
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["dlq", *arguments, "--notifications"]) == status
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_failed_announcement_is_looked_at_and_tried_out_without_being_touched(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shop.sqs.send_message(QueueUrl=shop.outputs["notifications_dlq_url"], MessageBody="strange")
    assert run(["dlq", "list", "--notifications", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["messages"], [group["count"] for group in document["groups"]]) == (1, [1])
    assert run(["dlq", "show", "--notifications", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == document["groups"][0]["reason"]
    assert run(["dlq", "redrive", "--notifications", "--dry-run", "--yes"]) == 0
    assert run(["dlq", "drop", "--notifications", "--dry-run", "--yes", "--to", str(tmp_path / "aside")]) == 0
    assert capsys.readouterr().err.count("nothing was done") == 2
    assert shop.visible("notifications_dlq_url") == ["strange"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that reach an API which accepts everything."""
    bodies: list[bytes] = []

    def submit(self: object, body: bytes, key: str) -> Submission:
        bodies.append(body)
        return Submission(Verdict.ACCEPTED, "the id")

    monkeypatch.setattr("orders_cli.commands.submit.OrderApi.submit", submit)
    return bodies


ONE_ORDER = ["--customer", "001", "--product", "Banana", "--quantity", "1", "--date", "2025-04-25"]


@in_production
def test_in_production_an_order_is_submitted_only_with_a_persons_word(
    shop: Shop, api: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["submit", *ONE_ORDER]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert api == []
    assert run(["submit", *ONE_ORDER, "--yes"]) == 0
    assert len(api) == 1


@in_production
def test_in_production_a_question_names_the_system(
    shop: Shop, api: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def answer_no(question: str, **_: Any) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("orders_cli.options.click.confirm", answer_no)
    assert run(["submit", *ONE_ORDER]) == 1
    assert questions == ["This is order-processing-prod. Submit an order?"]
    assert api == []


def test_elsewhere_an_order_is_submitted_at_once(
    shop: Shop, api: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["submit", *ONE_ORDER]) == 0
    assert capsys.readouterr().out == "the id\n"
    assert json.loads(api[0])["quantity"] == "1"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "secret"), "Permission denied"),
        (IsADirectoryError(21, "secret"), "Is a directory"),
        (FileNotFoundError(2, "secret"), "No such file or directory"),
    ],
    ids=["no permission", "a directory", "missing"],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("orders_cli.commands.submit.open", refuse, raising=False)
    assert run(["submit", "orders.csv"]) == 1
    assert capsys.readouterr().err.endswith(f"orders: orders.csv cannot be read ({said}).\n")


# The command line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["nonsense"],
        ["submit"],
        ["submit", "--customer", "001"],
        ["submit", "file", "--customer", "001"],
        ["submit", "-"],
        ["submit", "--batch", "b", *ONE_ORDER],
        ["submit", "--key", "späte", *ONE_ORDER],
        ["submit", "--key", "", *ONE_ORDER],
        ["submit", "--token", "to\nken", *ONE_ORDER],
        ["list"],
        ["list", "--customer", "001", "--limit", "0"],
        ["list", "--customer", "001", "--local", "--stack", "x"],
        ["list", "--customer", "001", "--local", "--profile", "x"],
        ["trace", 'a"b'],
        ["watch", "--interval", "0"],
        ["dlq", "redrive", "--rate", "0"],
        ["dlq", "redrive", "--notifications", "--rate", "5"],
        ["dlq", "show", "--notifications", "--order", "x"],
        ["notify"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_told_with_status_2(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


COMMANDS = ["submit", "show", "list", "watch", "trace", "notify", "restore"]
COMMANDS += [f"dlq {command}" for command in ("list", "show", "redrive", "drop")]


@pytest.mark.parametrize("command", ["", "dlq", *COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) > 15
    assert "..." not in out.partition("Commands:")[2], "a short help is cut off"
    if command in COMMANDS:
        assert "Which system" in out


def test_every_command_says_which_system_it_talks_to(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    run(["list", "--customer", "001"])
    assert capsys.readouterr().err.startswith("orders: talking to order-processing-dev, a shop of moto\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "orders: stopped"),
        (NoCredentialsError(), 1, "There are no AWS credentials"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, said: str
) -> None:
    def fail(_: object) -> Callable[..., Any]:
        raise error

    monkeypatch.setattr(options, "find_system", fail)
    assert run(["list", "--customer", "001"]) == status
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


# restore


def copy_of(shop: Shop, *orders: ProcessedOrder) -> str:
    """Make a table that holds `orders`, as DynamoDB restores one; return its name."""
    name = "copy"
    shop.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for order in orders:
        shop.dynamodb.put_item(TableName=name, Item=item_of(order))
    return name


def test_a_copy_is_compared_and_nothing_is_done(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(1), order_of(2))
    copy = copy_of(shop, order_of(1), order_of(2, quantity=9), order_of(3))
    assert run(["restore", copy, "--dry-run", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "orders": 3,
        "same": 1,
        "missing": 1,
        "different": [order_of(2).order_id],
        "broken": [],
    }
    assert "1 order would be brought back; nothing was done" in printed.err
    assert run(["list", "--customer", "001"]) == 0
    assert order_of(3).order_id not in capsys.readouterr().out


def test_a_copy_is_not_brought_back_without_a_persons_word(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", copy_of(shop, order_of(1))]) == 1
    assert "Nothing was done, because nobody can be asked here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "status", "said"),
    [("no-such-table", 3, "There is no table no-such-table"), ("order-processing-dev-orders", 2, "system's own table")],
)
def test_what_is_no_copy_is_told(
    shop: Shop, table: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["restore", table]) == status
    assert said in capsys.readouterr().err


# What nobody can read or write


def test_a_file_that_is_refused_is_not_called_empty(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "orders.csv").write_bytes(b"\xff\xfe")
    assert run(["submit", str(tmp_path / "orders.csv")]) == 1
    err = capsys.readouterr().err
    assert "UTF-16" in err
    assert "empty" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr == "orders: The output cannot be written (No space left on device).\n"


# restore, where it cannot go on


def test_a_copy_that_holds_no_more_than_the_table_is_no_failure(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(1))
    assert run(["restore", copy_of(shop, order_of(1))]) == 0
    assert "there is nothing to bring back" in capsys.readouterr().err


def test_a_copy_that_is_still_being_restored_is_told_with_what_waits_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of(shop, order_of(1))
    dynamodb = boto3.client("dynamodb")
    monkeypatch.setattr(dynamodb, "describe_table", lambda **_: {"Table": {"TableStatus": "CREATING"}})
    connect = shop.connect
    monkeypatch.setattr(shop, "connect", lambda service: dynamodb if service == "dynamodb" else connect(service))
    assert run(["restore", copy, "--yes"]) == 1
    assert f"{copy} is still CREATING: wait for it with `aws dynamodb wait table-exists" in capsys.readouterr().err
    assert shop.dynamodb.scan(TableName=shop.outputs["orders_table_name"])["Count"] == 0


def test_a_table_that_stops_taking_orders_is_told_with_how_to_go_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(*_: object, **__: object) -> NoReturn:
        raise StoreUnavailableError from refusal("ThrottlingException")

    monkeypatch.setattr("orders_cli.commands.restore.bring_back", stops)
    assert run(["restore", copy_of(shop, order_of(1)), "--yes"]) == 1
    said = capsys.readouterr().err
    assert "The table stopped taking orders (ClientError): what was brought back is whole, run this again" in said


def test_orders_that_the_table_refuses_are_told_apart_from_those_that_are_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    restored = Restored(done=1, meanwhile=2, refused=3)
    monkeypatch.setattr("orders_cli.commands.restore.bring_back", lambda *_, **__: restored)
    assert run(["restore", copy_of(shop, *map(order_of, range(6))), "--yes"]) == 1
    said = capsys.readouterr().err
    assert "1 order is back in the table" in said
    assert "2 orders had come by another way meanwhile" in said
    assert "3 orders could not be stored: run this again" in said
