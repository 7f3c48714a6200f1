"""The commands of `orders`, in process on moto: what they print, change and leave alone."""

import csv
import errno
import io
import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from orders.domain.errors import StoreUnavailableError
from orders.domain.message import write_message
from orders.domain.order import AlreadyExists, Inserted, InsertResult, Order, ProcessedOrder, Refused, format_timestamp
from orders.domain.order_id import derived_order_id
from orders_cli import options
from orders_cli.clock import utc_now
from orders_cli.order_api import Submission, Verdict
from orders_cli.order_file import OrderLine, read_orders
from orders_cli.program import run
from orders_cli.queue import Pace, Queue
from orders_cli.system import System
from orders_cli.table import OrdersTable
from support.machine.orders_command import COMMAND
from support.sample_orders import SAMPLE_ORDER, submitted
from support.stub_aws.events import item_of
from support.stub_aws.logs import FakeLogs
from support.stub_aws.sqs import refusal

START = datetime.fromisoformat("2025-04-25T10:00:00+00:00")


class Shop:
    """A system in moto: queues, table and a log, without functions and API."""

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
        return self.logs if service == "logs" else boto3.client(service)

    def store(self, *orders: ProcessedOrder) -> None:
        for order in orders:
            self.dynamodb.put_item(TableName=self.outputs["orders_table_name"], Item=item_of(order))

    def bury(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.outputs["orders_dlq_url"], MessageBody=body)

    def hide(self, number: int, queue: str = "orders_dlq_url") -> None:
        self.sqs.receive_message(QueueUrl=self.outputs[queue], MaxNumberOfMessages=number, VisibilityTimeout=60)

    def log(self, function: str, name: str, time: datetime, **fields: Any) -> None:
        group = self.logs.groups.setdefault(f"/aws/lambda/order-processing-dev-{function}", [])
        line = json.dumps({"message": name, **fields})
        group.append({"eventId": str(len(group)), "timestamp": int(time.timestamp() * 1000), "message": line})

    def visible(self, queue: str = "orders_dlq_url") -> list[str]:
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return sorted(message["Body"] for message in answer.get("Messages", []))


class PutOneByOne:
    """The table's store, which moto cannot run: it does not know PartiQL's INSERT with parameters."""

    def __init__(self, dynamodb: Any, table_name: str) -> None:
        self._dynamodb, self._table_name = dynamodb, table_name

    def insert(self, orders: list[ProcessedOrder]) -> dict[str, InsertResult]:
        for order in orders:
            condition = "attribute_not_exists(order_id)"
            self._dynamodb.put_item(TableName=self._table_name, Item=item_of(order), ConditionExpression=condition)
        return {order.order_id: Inserted() for order in orders}


@pytest.fixture(params=["dev"])
def shop(request: pytest.FixtureRequest, aws: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(request.param)
    monkeypatch.setattr(
        options, "find_system", lambda _: System("a shop of moto", made.outputs, made.connect, is_local=True)
    )
    monkeypatch.setattr("orders_cli.commands.restore.DynamoDbOrderTable", PutOneByOne)
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


def test_list_sorts_by_time(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
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
        (["--until", "2025-04-25"], [0, 1, 2, 3, 4]),
        (["--until", "2025-04-24"], []),
    ],
)
def test_list_selects_a_period(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], numbers: list[int]
) -> None:
    shop.store(*[order_of(number) for number in range(5)])
    found = listed(capsys, "--oldest-first", *arguments)
    assert found == [order_of(number).to_document() for number in numbers]


def test_list_pages_repeat_no_order(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    # All of one moment, so that no time can tell them apart.
    shop.store(*[replace(order_of(number), submitted_at=order_of(0).submitted_at) for number in range(5)])
    found: list[str] = []
    after: list[str] = []
    while True:
        assert run(["list", "--customer", "001", "--limit", "2", "--json", *after]) == 0
        output = capsys.readouterr()
        found += [json.loads(line)["order_id"] for line in output.out.splitlines()]
        if "there are more" not in output.err:
            break
        after = output.err.split()[-2:]
        assert after[0] == "--after"
    assert sorted(found) == sorted(order_of(number).order_id for number in range(5))


def test_list_csv_holds_no_formula(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(0, product_id="-1+cmd|' /C calc'!A0"), order_of(1, product_id='a "b", c'))
    assert run(["list", "--customer", "001", "--format", "csv", "--oldest-first"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["product_id"] for row in rows] == ["'-1+cmd|' /C calc'!A0", 'a "b", c']
    assert [row["order_id"] for row in rows] == [order_of(0).order_id, order_of(1).order_id]


def test_list_refuses_a_period_that_ends_before_it_begins(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--customer", "001", "--since", "1d", "--until", "2d"]) == 2
    assert "--since is later than --until" in capsys.readouterr().err


def test_damaged_item_is_reported_by_its_id(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    order, neighbour = order_of(1), order_of(2)
    shop.store(order, neighbour)
    shop.dynamodb.update_item(
        TableName=shop.outputs["orders_table_name"],
        Key={"order_id": {"S": order.order_id}},
        UpdateExpression="REMOVE quantity",
    )
    assert run(["show", order.order_id]) == 1
    assert f"The item of order {order.order_id} is incomplete" in capsys.readouterr().err

    assert run(["list", "--customer", "001"]) == 1
    listed = capsys.readouterr()
    assert neighbour.order_id in listed.out
    assert f"The item of order {order.order_id} is incomplete" in listed.err


# show


def shown(capsys: pytest.CaptureFixture[str], order_id: str) -> tuple[int, dict[str, Any]]:
    status = run(["show", order_id, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_show_stored_order(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(1))
    status, document = shown(capsys, f" {order_of(1).order_id.upper()} ")
    assert (status, document) == (0, {"status": "PROCESSED", **order_of(1).to_document()})


def test_show_dead_letter_with_its_reason(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(write_message(submitted()), *POISON)
    status, document = shown(capsys, submitted().order_id)
    assert status == 0
    assert (document["status"], document["reason"]) == ("DEAD_LETTER", "nothing was logged about it")
    assert "customer_id" not in document
    assert len(shop.visible()) == 4


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("events", "state", "status", "place", "detail"),
    [
        ([], "", 3, "UNKNOWN", "not in the table"),
        ([("order_accepted", 0)], "", 0, "PENDING", ""),
        ([("order_accepted", 5)], "waiting", 0, "PENDING", ""),
        ([("order_accepted", 5)], "", 3, "NOT_FOUND", "not found; look for its id in the files of `orders dlq drop`"),
        ([("order_accepted", 9), ("order_failed", 5)], "waiting", 3, "NOT_FOUND", "unless it was redriven"),
        ([("order_accepted", 9), ("order_failed", 5)], "", 3, "NOT_FOUND", "not found"),
        ([("order_accepted", 9), ("order_failed", 5)], "hidden", 1, "NOT_FOUND", "not found; 1 dead letter hidden"),
        ([("order_accepted", 9), ("order_stored", 5)], "", 3, "DELETED", "see `orders restore"),
    ],
)
def test_show_order_that_is_not_stored(
    shop: Shop,
    capsys: pytest.CaptureFixture[str],
    events: list[tuple[str, int]],
    state: str,
    status: int,
    place: str,
    detail: str,
) -> None:
    for name, minutes_ago in events:
        function = "submission" if name == "order_accepted" else "processing"
        fields = {"order_id": submitted().order_id} | ({"receives": 5} if function == "processing" else {})
        shop.log(function, name, utc_now() - minutes_ago * MINUTE, **fields)
    if state == "waiting":
        shop.sqs.send_message(QueueUrl=shop.outputs["orders_queue_url"], MessageBody="another")
    if state == "hidden":
        shop.bury(write_message(submitted()))
        shop.hide(1)
    found, document = shown(capsys, submitted().order_id)
    assert (found, document["status"]) == (status, place)
    assert detail in document.get("detail", "")
    assert ("stored_at" in document) == (place == "DELETED")


@pytest.mark.parametrize("text", ["nonsense", "00000000-0000-8000-8000-000000000000", ""])
def test_show_refuses_an_id_with_a_typo_before_any_call(
    shop: Shop, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run(["show", text]) == 3
    err = capsys.readouterr().err
    assert "checksum is wrong. Check it for typos" in err
    assert "using" not in err


# dlq


def dead_orders(number: int) -> list[str]:
    return [write_message(submitted(str(place))) for place in range(number)]


def test_dlq_list_groups_by_reason_and_changes_nothing(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*POISON, *dead_orders(2))
    assert run(["dlq", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["messages"], document["hidden"]) == (5, 0)
    assert [(group["count"], group["reason"], group["kind"]) for group in document["groups"]] == [
        (3, "the message is not JSON", "UNREADABLE"),
        (2, "nothing was logged about it", "UNKNOWN"),
    ]
    assert run(["dlq", "list", "--json", "--since", "1h"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 5
    assert run(["dlq", "list", "--json", "--since", "2999-01-01"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 0
    assert len(shop.visible()) == 5


def test_dlq_list_reads_a_long_queue(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*[f"poison {number}" for number in range(234)])
    assert run(["dlq", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 234
    assert Queue(shop.sqs, shop.outputs["orders_dlq_url"]).depth().visible == 234


def test_dlq_show_prints_escaped_content(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury("poison\twith [red]markup[/red]", *dead_orders(1))
    assert run(["dlq", "show", "--reason", "NOT JSON"]) == 0
    out = capsys.readouterr().out
    assert r"poison\twith [red]markup[/red]" in out
    assert submitted("0").order_id not in out
    assert len(shop.visible()) == 2


NOTIFICATIONS = ["--notifications"]


@pytest.mark.parametrize("more", [[], NOTIFICATIONS], ids=["orders", "notifications"])
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["list"], 0, "is empty"),
        (["show"], 3, "No message in the dead-letter queue"),
        (["redrive", "--yes"], 0, "there is nothing to redrive in the dead-letter queue"),
        (["drop", "--yes", "--to", "aside.jsonl"], 0, "there is nothing to drop in the dead-letter queue"),
    ],
    ids=["list", "show", "redrive", "drop"],
)
@pytest.mark.parametrize("hidden", [0, 1])
def test_dlq_commands_report_an_empty_queue_and_hidden_messages(
    shop: Shop,
    command: list[str],
    more: list[str],
    hidden: int,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    queue = "notifications_dlq_url" if more else "orders_dlq_url"
    if hidden:
        shop.sqs.send_message(QueueUrl=shop.outputs[queue], MessageBody="seen by another reader")
        shop.hide(1, queue)
    assert run(["dlq", *command, *more]) == (1 if hidden else status)
    err = capsys.readouterr().err
    assert ("1 message hidden by another reader or a killed run" in err) == bool(hidden)
    assert hidden or said in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["redrive", "drop"])
def test_dlq_changes_nothing_without_consent(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.bury(*POISON)
    assert run(["dlq", command, "--kind", "all"]) == 1
    output = capsys.readouterr()
    assert "the message is not JSON" in output.out
    assert "Nothing was done: there is no terminal to ask for consent. Add --yes" in output.err
    assert run(["dlq", command, "--kind", "all", "--dry-run", "--yes"]) == 0
    assert f"would {command} 3 messages" in capsys.readouterr().err
    assert shop.visible() == sorted(POISON)
    assert shop.visible("orders_queue_url") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "moved"),
    [
        ([], "orders"),
        (["--kind", "unknown", "--kind", "unreadable"], "orders poison"),
        (["--kind", "all"], "orders poison"),
        (["--reason", "NOT json"], "poison"),
        (["--order", f" {submitted('1').order_id.upper()} "], "second"),
    ],
)
def test_dlq_redrive_follows_the_advice_unless_told_otherwise(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], moved: str
) -> None:
    [first, second] = dead_orders(2)
    shop.bury(*POISON, first, second)
    expected = {"orders": [first, second], "second": [second], "poison": POISON}
    wanted = sorted(body for name in moved.split() for body in expected[name])
    assert run(["dlq", "redrive", "--yes", "--json", *arguments]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["redriven"] == len(wanted)
    assert ("3 unreadable (select by --kind" in output.err) == ("poison" not in moved)
    assert shop.visible("orders_queue_url") == wanted
    assert len(shop.visible()) == 5 - len(wanted)


def test_dlq_drop_follows_the_advice_and_can_be_undone(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.bury(*POISON, *dead_orders(1))
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--yes", "--json", "--to", str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["dropped"], document["file"], document["not_moved"]) == (3, str(path), 0)
    assert shop.visible() == dead_orders(1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert run(["dlq", "drop", "--yes", "--order", submitted("0").order_id, "--to", str(tmp_path / "order")]) == 0
    assert shop.visible() == []
    assert run(["dlq", "redrive", "--from", str(path), "--limit", "2", "--yes"]) == 0
    assert run(["dlq", "redrive", "--from", str(tmp_path / "order"), "--yes"]) == 0
    assert set(dead_orders(1)) < set(shop.visible("orders_queue_url")) < {*POISON, *dead_orders(1)}
    assert len(path.read_text().splitlines()) == 3


def test_dlq_drop_never_overwrites_a_file(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop.bury(*POISON)
    path = tmp_path / "precious"
    path.write_text("precious")
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == 1
    err = capsys.readouterr().err
    assert "not overwritten" in err
    assert "using" not in err
    assert (path.read_text(), shop.visible()) == ("precious", sorted(POISON))


@pytest.mark.parametrize(
    ("error", "fails_for", "status", "dropped"),
    [(errno.EINVAL, "directory", 0, 3), (errno.EIO, "directory", 1, 0), (errno.ENOSPC, "file", 1, 0)],
)
def test_dlq_drop_on_a_disk_that_fails(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, fails_for: str, status: int, dropped: int
) -> None:
    shop.bury(*POISON)
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (fails_for == "directory"):
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == status
    assert len(shop.visible()) == 3 - dropped
    assert path.exists() == (dropped == 3 or fails_for == "file")


@pytest.mark.parametrize("place", ["is missing", "is a directory"])
def test_dlq_drop_to_an_impossible_file_is_an_error(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    shop.bury(*POISON)
    path = tmp_path / "missing" / "file" if place == "is missing" else tmp_path
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == 1
    assert "Name another file with --to" in capsys.readouterr().err
    assert len(shop.visible()) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("precious\n", "Line 1 of {} is not a dropped message"),
        ('{"body": ""}\n', "Line 1 of {} is not a dropped message"),
        ("never finished", "there is nothing to redrive in {}"),
        (None, "{} cannot be read (No such file or directory)"),
    ],
)
def test_dlq_redrive_from_another_file(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    assert run(["dlq", "redrive", "--from", str(path), "--yes"]) == (0 if text == "never finished" else 1)
    assert said.format(path) in capsys.readouterr().err
    assert shop.visible("orders_queue_url") == []


def test_dlq_keeps_attributes_of_a_message(shop: Shop, tmp_path: Path) -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": "ä"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    shop.sqs.send_message(QueueUrl=shop.outputs["orders_dlq_url"], MessageBody="poison", MessageAttributes=attributes)
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--yes", "--to", str(path)]) == 0
    assert run(["dlq", "redrive", "--from", str(path), "--yes"]) == 0
    [message] = shop.sqs.receive_message(QueueUrl=shop.outputs["orders_queue_url"], MessageAttributeNames=["All"])[
        "Messages"
    ]
    assert message["MessageAttributes"] == attributes


@pytest.mark.parametrize("command", ["redrive", "drop", "restore"])
def test_interrupted_command_prints_counts_and_hides_nothing(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    shop.bury(*POISON, *dead_orders(22))
    arguments = {
        "redrive": ["dlq", "redrive", "--kind", "all"],
        "drop": ["dlq", "drop", "--kind", "all", "--to", str(tmp_path / "dropped")],
        "restore": ["restore", copy_of(shop, *map(order_of, range(25)))],
    }[command]
    waited: list[int] = []

    def interrupt(_: object, number: int) -> None:
        waited.append(number)
        if len(waited) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Pace, "wait", interrupt)
    assert run([*arguments, "--yes"]) == 130
    err = capsys.readouterr().err
    done = {"redrive": "messages redriven", "drop": "messages dropped", "restore": "orders restored"}[command]
    assert f"orders: {sum(waited[:2])} {done}" in err
    assert err.endswith("orders: stopped\n")
    if command != "restore":
        assert Queue(shop.sqs, shop.outputs["orders_dlq_url"]).depth().visible == 25 - sum(waited[:2])


def test_dlq_entries_of_notifications(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop.sqs.send_message(QueueUrl=shop.outputs["notifications_dlq_url"], MessageBody="unexpected")
    assert run(["dlq", "list", "--notifications", "--json"]) == 0
    [group] = json.loads(capsys.readouterr().out)["groups"]
    assert (group["count"], group["reason"], group["notifications"]) == (1, "not an entry of Lambda's", 0)
    assert run(["dlq", "show", "--notifications", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == group["reason"]
    assert run(["dlq", "redrive", "--notifications", "--yes"]) == 0
    assert "not selected: 1 unreadable" in capsys.readouterr().err
    assert run(["dlq", "redrive", "--notifications", "--kind", "all", "--yes"]) == 1
    assert "the stream no longer holds the orders of 1 entry" in capsys.readouterr().err
    path = tmp_path / "dropped.jsonl"
    assert run(["dlq", "drop", "--notifications", "--dry-run", "--to", str(path)]) == 0
    assert shop.visible("notifications_dlq_url") == ["unexpected"]
    assert run(["dlq", "drop", "--notifications", "--yes", "--to", str(path)]) == 0
    assert shop.visible("notifications_dlq_url") == []
    assert json.loads(path.read_text())["body"] == "unexpected"


# Changes in production


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that an API received which accepts everything."""
    bodies: list[bytes] = []

    def submit(self: object, body: bytes, key: str) -> Submission:
        bodies.append(body)
        return Submission(Verdict.ACCEPTED, "the id")

    monkeypatch.setattr("orders_cli.commands.submit.OrderApi.submit", submit)
    return bodies


ONE_ORDER = ["--customer", "001", "--product", "Banana", "--quantity", "1", "--date", "2025-04-25"]


@in_production
def test_submit_in_production_needs_consent(shop: Shop, api: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", *ONE_ORDER]) == 1
    assert "Add --yes" in capsys.readouterr().err
    assert api == []
    assert run(["submit", *ONE_ORDER, "--yes"]) == 0
    assert len(api) == 1


@in_production
def test_question_in_production_names_the_system(shop: Shop, api: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []

    def answer_no(question: str, **_: Any) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("orders_cli.options.click.confirm", answer_no)
    assert run(["submit", *ONE_ORDER]) == 1
    assert questions == ["This is order-processing-prod. Submit an order?"]
    assert api == []


def test_submit_elsewhere_asks_nothing(shop: Shop, api: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", *ONE_ORDER]) == 0
    assert capsys.readouterr().out == "the id\n"
    assert json.loads(api[0])["quantity"] == "1"
    assert run(["submit", *ONE_ORDER, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "VALID"
    assert run(["submit", *ONE_ORDER[:-1], "2025-02-30", "--dry-run"]) == 1
    assert "VALIDATION_FAILED" in capsys.readouterr().err
    assert len(api) == 1


def test_submit_file_derives_unpredictable_keys_and_interrupts_with_counts(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys: list[str] = []

    def submit(self: object, body: bytes, key: str) -> Submission:
        keys.append(key)
        if len(keys) == 3:
            raise KeyboardInterrupt
        return Submission(Verdict.ACCEPTED, "the id")

    monkeypatch.setattr("orders_cli.commands.submit.OrderApi.submit", submit)
    monkeypatch.setattr(OrdersTable, "table_id", "what only the account knows")
    file = tmp_path / "orders.csv"
    file.write_text("customer_id,product_id,quantity,order_date\n" + "001,Banana,1,2025-04-25\n" * 5)
    assert run(["submit", str(file), "--concurrency", "1"]) == 130
    err = capsys.readouterr().err
    assert "2 orders: 2 accepted" in err
    assert "run the same command again for the rest" in err
    predictable = read_orders(io.BytesIO(file.read_bytes()), "orders.csv", "")
    assert keys[0] not in [line.idempotency_key for line in predictable if isinstance(line, OrderLine)]
    assert run(["submit", str(file), "--dry-run"]) == 0
    assert "5 orders: 5 valid, would be submitted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "secret"), "Permission denied"),
        (IsADirectoryError(21, "secret"), "Is a directory"),
        (FileNotFoundError(2, "secret"), "No such file or directory"),
    ],
    ids=["no permission", "a directory", "missing"],
)
def test_unreadable_file_is_an_error_before_any_call(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("orders_cli.commands.submit.open", refuse, raising=False)
    assert run(["submit", "orders.csv"]) == 1
    assert capsys.readouterr().err == f"orders: orders.csv cannot be read ({said}).\n"


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
        ["list", "--customer", "001", "--format", "json"],
        ["dlq", "redrive", "--kind", "nonsense"],
        *[["dlq", command, "--order", "00000000-0000-8000-8000-000000000000"] for command in ("redrive", "show")],
    ],
    ids=" ".join,
)
def test_usage_error_comes_before_any_call(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert "Error: " in err
    assert "using" not in err


COMMANDS = ["status", "submit", "show", "list", "watch", "trace", "pause", "resume", "notify", "restore"]
COMMANDS += [f"dlq {command}" for command in ("list", "show", "redrive", "drop")]


@pytest.mark.parametrize("command", ["", "dlq", *COMMANDS])
def test_help_of_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "..." not in out.partition("Commands:")[2], "a short help is cut"
    if command in COMMANDS:
        assert "System: the local stack" in out
        assert "--json" in out


def test_command_names_its_system_and_ignored_variables(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    run(["list", "--customer", "001"])
    assert capsys.readouterr().err.splitlines()[:2] == [
        "orders: using order-processing-dev, a shop of moto",
        "orders: AWS_PROFILE is ignored: this is the local stack",
    ]


def test_version_and_completion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"orders \d+\.\d+\.\d+\n", capsys.readouterr().out)
    environment = {**os.environ, "_ORDERS_COMPLETE": "bash_complete", "COMP_WORDS": "orders dlq re", "COMP_CWORD": "2"}
    completed = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, check=False)
    assert completed.stdout == "plain,redrive\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [(KeyboardInterrupt(), 130, "orders: stopped"), (NoCredentialsError(), 1, "AWS credentials are missing")],
)
def test_error_is_one_line_and_a_status(
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
    """Create a table that holds `orders`, as DynamoDB restores one; return its name."""
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


def test_restore_dry_run_compares_only(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
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
        "restored": 0,
        "restored_refused": 0,
        "restored_meanwhile": 0,
    }
    assert "1 order would be restored; nothing was done" in printed.err
    assert run(["list", "--customer", "001"]) == 0
    assert order_of(3).order_id not in capsys.readouterr().out


def test_restore_needs_consent(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", copy_of(shop, order_of(1))]) == 1
    assert "Nothing was done: there is no terminal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "status", "said"),
    [("no-such-table", 3, "There is no table no-such-table"), ("order-processing-dev-orders", 2, "system's own table")],
)
def test_restore_from_another_table_is_an_error(
    shop: Shop, table: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["restore", table]) == status
    assert said in capsys.readouterr().err


def stored(shop: Shop) -> dict[str, Any]:
    items = shop.dynamodb.scan(TableName=shop.outputs["orders_table_name"])["Items"]
    return {item["order_id"]["S"]: item for item in items}


def test_restore_inserts_missing_orders_unchanged_and_once(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.store(order_of(1), order_of(2))
    copy = copy_of(shop, order_of(1), order_of(2, quantity=9), *map(order_of, range(3, 15)))
    shop.dynamodb.put_item(TableName=copy, Item={"order_id": {"S": "broken"}, "customer_id": {"S": "001"}})
    assert run(["restore", copy, "--yes"]) == 0
    output = capsys.readouterr()
    assert re.search(f"{order_of(2).order_id} +the table holds other content", output.out)
    assert re.search("broken +missing, and incomplete in copy too", output.out)
    assert "12 orders restored" in output.err
    assert stored(shop) == {order_of(number).order_id: item_of(order_of(number)) for number in range(1, 15)}
    assert run(["restore", copy, "--yes"]) == 0
    assert "there is nothing to restore" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        (AlreadyExists(SAMPLE_ORDER), 0, "2 orders had been stored by someone else meanwhile"),
        (Refused("ThrottlingError"), 1, "2 orders could not be stored: run this again"),
        (StoreUnavailableError(), 1, "The table stopped taking orders (ClientError). Run this again"),
    ],
)
def test_restore_reports_orders_that_are_not_inserted(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: InsertResult | Exception,
    status: int,
    said: str,
) -> None:
    def insert(_: object, orders: list[ProcessedOrder]) -> dict[str, InsertResult]:
        if isinstance(result, Exception):
            raise result from refusal("ThrottlingException")
        return {order.order_id: result for order in orders}

    monkeypatch.setattr(PutOneByOne, "insert", insert)
    assert run(["restore", copy_of(shop, order_of(1), order_of(2)), "--yes"]) == status
    err = capsys.readouterr().err
    assert said in err
    assert "0 orders restored" in err


def test_restore_waits_for_no_unfinished_copy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of(shop, order_of(1))
    dynamodb = boto3.client("dynamodb")
    monkeypatch.setattr(dynamodb, "describe_table", lambda **_: {"Table": {"TableStatus": "CREATING"}})
    connect = shop.connect
    monkeypatch.setattr(shop, "connect", lambda service: dynamodb if service == "dynamodb" else connect(service))
    assert run(["restore", copy, "--yes"]) == 1
    assert f"{copy} is still CREATING: wait for it with `aws dynamodb wait table-exists" in capsys.readouterr().err
    assert stored(shop) == {}


# Output


def test_file_in_utf16_is_refused(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "orders.csv").write_bytes(b"\xff\xfe")
    assert run(["submit", str(tmp_path / "orders.csv")]) == 1
    err = capsys.readouterr().err
    assert "UTF-16" in err
    assert "empty" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr == "orders: The output cannot be written (No space left on device).\n"
