"""The commands of `orders`, in process on moto: their output and side effects."""

import csv
import errno
import functools
import io
import itertools
import json
import os
import re
import stat
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.domain.errors import StoreUnavailableError
from orders.domain.message import write_message
from orders.domain.order import AlreadyExists, Inserted, InsertResult, Order, ProcessedOrder, Rejected, format_timestamp
from orders.domain.order_id import derived_order_id
from orders_cli.errors import sentence_about
from orders_cli.options import utc_now
from orders_cli.order_api import Submission, Verdict
from orders_cli.order_file import read_orders
from orders_cli.program import run
from orders_cli.queue import Queue
from orders_cli.system import System
from orders_cli.table import OrdersTable
from support.machine.orders_command import COMMAND, Finished
from support.sample_orders import SAMPLE_ORDER, submitted
from support.stub_aws.events import item_of
from support.stub_aws.logs import FakeLogs
from support.stub_aws.sqs import aws_error

START = datetime.fromisoformat("2025-04-25T10:00:00.258+00:00")


@functools.cache
def client(service: str) -> Any:
    """Return one client for all tests; creating one takes longer than most tests."""
    return boto3.Session("test", "test", region_name="us-east-1").client(service)


class Shop:
    """A system on moto with queues, table and logs, but no functions and no API. `run` runs a command on it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.sqs, self.dynamodb, self.logs, self.functions = client("sqs"), client("dynamodb"), FakeLogs(), mock.Mock()
        self.outputs = {"api_endpoint": "http://api.invalid", "orders_table_name": "order-processing-dev-orders"}
        for output in ("orders_queue_url", "orders_dlq_url", "notifications_dlq_url"):
            self.outputs[output] = self.sqs.create_queue(QueueName=output)["QueueUrl"]
        self._create_table(self.outputs["orders_table_name"])

    def _create_table(self, name: str) -> None:
        key, *index = ({"AttributeName": field, "KeyType": "HASH"} for field in ("order_id", "customer_id"))
        index.append({"AttributeName": "submitted_at", "KeyType": "RANGE"})
        by_customer = {"IndexName": "by_customer", "KeySchema": index, "Projection": {"ProjectionType": "ALL"}}
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[key],
            AttributeDefinitions=[
                {"AttributeName": each["AttributeName"], "AttributeType": "S"} for each in (key, *index)
            ],
            GlobalSecondaryIndexes=[by_customer],
            BillingMode="PAY_PER_REQUEST",
        )

    def run(self, *arguments: str | Path, status: int = 0) -> Finished:
        """Run a command; require this exit status."""
        self._capsys.readouterr()
        found = run([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert found == status, printed.err
        return Finished(found, printed.out, printed.err)

    def connect(self, service: str) -> Any:
        return {"logs": self.logs, "lambda": self.functions}.get(service) or client(service)

    def store(self, *orders: ProcessedOrder, table: str = "order-processing-dev-orders") -> None:
        for order in orders:
            self.dynamodb.put_item(TableName=table, Item=item_of(order))

    def stored(self) -> dict[str, Any]:
        items = self.dynamodb.scan(TableName=self.outputs["orders_table_name"])["Items"]
        return {item["order_id"]["S"]: item for item in items}

    def copy(self, *orders: ProcessedOrder) -> str:
        """Create a table with `orders`, like one that DynamoDB restored; return its name."""
        self._create_table("copy")
        self.store(*orders, table="copy")
        return "copy"

    def send_dead_letters(self, *bodies: str, queue: str = "orders_dlq_url") -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.outputs[queue], MessageBody=body)

    def hide(self, number: int, queue: str = "orders_dlq_url") -> None:
        self.sqs.receive_message(QueueUrl=self.outputs[queue], MaxNumberOfMessages=number, VisibilityTimeout=60)

    def log(self, function: str, name: str, time: datetime, **fields: Any) -> None:
        line = {"timestamp": int(time.timestamp() * 1000), "message": json.dumps({"message": name, **fields})}
        self.logs.groups.setdefault(f"/aws/lambda/order-processing-dev-{function}", []).append(line)

    def visible(self, queue: str = "orders_dlq_url") -> list[str]:
        response = self.sqs.receive_message(
            QueueUrl=self.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return sorted(message["Body"] for message in response.get("Messages", []))


@pytest.fixture
def shop(aws: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shop:
    system = Shop(capsys)
    found = System("a system on moto", system.outputs, system.connect, is_local=True)
    monkeypatch.setattr("orders_cli.system._local_system", lambda _: found)
    monkeypatch.setattr("orders_cli.system.STACK_FILE", tmp_path)
    # moto does not support PartiQL INSERT with parameters.
    monkeypatch.setattr(DynamoDbOrderTable, "insert", lambda _, orders: {each.order_id: Inserted() for each in orders})
    # moto also waits during long polling.
    monkeypatch.setattr("orders_cli.queue._WAIT_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    return system


def order_of(number: int, **changes: Any) -> ProcessedOrder:
    moment = format_timestamp(START + timedelta(minutes=number))
    order = Order(**{**vars(SAMPLE_ORDER), "customer_id": "001", **changes})
    return ProcessedOrder(derived_order_id(SAMPLE_ORDER, str(number)), order, moment, moment)


POISON = ["poison 1", "poison 2", "<poison/>"]


# list


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("--limit 2", [4, 3]),
        ("--since 2025-04-25T10:02:00Z", [4, 3, 2]),
        ("--until 2025-04-25T10:02:00Z", [2, 1, 0]),
        ("--until 2025-04-25T10:02:00.257Z", [1, 0]),
        ("--since 2025-04-25T12:01:00+02:00 --until 2025-04-25T10:03", [3, 2, 1]),
        ("--since 2026-01-01", []),
        ("--since 2025-04-25 --until 2025-04-25", [4, 3, 2, 1, 0]),
    ],
)
def test_list_selects_a_period_and_prints_the_newest_order_first(
    shop: Shop, arguments: str, numbers: list[int]
) -> None:
    shop.store(*map(order_of, range(5)), order_of(9, customer_id="002"))
    listed = shop.run("list", "--customer", "001", "--json", *arguments.split())
    found = [json.loads(line) for line in listed.out.splitlines()]
    assert found == [order_of(number).to_document() for number in numbers]
    assert ("there are more: raise --limit" in listed.err) == (arguments == "--limit 2")


def test_list_csv_escapes_formulas(shop: Shop) -> None:
    formulas = [f"{start}1+cmd|' /C calc'!A0" for start in "=+-@\t\r\n＝＋－＠"]
    shop.store(*(order_of(number, product_id=product) for number, product in enumerate([*formulas, 'a "b", c'])))
    listed = shop.run("list", "--customer", "001", "--format", "csv")
    text, *escaped = csv.DictReader(io.StringIO(listed.out, newline=""))
    assert (text["product_id"], text["order_id"]) == ('a "b", c', order_of(len(formulas)).order_id)
    assert [row["product_id"] for row in reversed(escaped)] == [f"'{formula}" for formula in formulas]


def test_damaged_item_is_reported_by_its_id(shop: Shop) -> None:
    shop.store(order_of(1), order_of(2))
    shop.dynamodb.update_item(
        TableName=shop.outputs["orders_table_name"],
        Key={"order_id": {"S": order_of(1).order_id}},
        UpdateExpression="REMOVE quantity",
    )
    listed = shop.run("list", "--customer", "001", status=1)
    assert order_of(2).order_id in listed.out
    for finished in (listed, shop.run("show", order_of(1).order_id, status=1)):
        assert f"The item of order {order_of(1).order_id} is incomplete" in finished.err


# show


@pytest.mark.parametrize(
    ("events", "state", "status", "place", "detail"),
    [
        ({}, "", 3, "UNKNOWN", "not in the table"),
        ({"accepted": 0}, "", 0, "PENDING", ""),
        ({"accepted": 5}, "waiting", 0, "PENDING", ""),
        ({"accepted": 5}, "", 3, "NOT_FOUND", "not found; search the files of `orders dlq drop` for its id"),
        ({"accepted": 9, "failed": 5}, "waiting", 3, "NOT_FOUND", "unless it was redriven"),
        ({"accepted": 9, "failed": 5}, "hidden", 1, "NOT_FOUND", "; 1 dead letter hidden"),
        ({"accepted": 9, "failed": 5}, "dead", 0, "DEAD_LETTER", ""),
        ({"accepted": 9, "stored": 5}, "", 3, "DELETED", "see `orders restore"),
    ],
)
def test_show_prints_the_status_of_an_order_that_is_not_stored(
    shop: Shop, events: dict[str, int], state: str, status: int, place: str, detail: str
) -> None:
    for name, minutes_ago in events.items():
        function, more = ("submission", {}) if name == "accepted" else ("processing", {"receives": 5, "reason": "why"})
        moment = utc_now() - timedelta(minutes=minutes_ago)
        shop.log(function, f"order_{name}", moment, order_id=submitted().order_id, **more)
    if state == "waiting":
        shop.sqs.send_message(QueueUrl=shop.outputs["orders_queue_url"], MessageBody="another")
    if state in ("hidden", "dead"):
        shop.send_dead_letters(write_message(submitted()))
    if state == "hidden":
        shop.hide(1)
    document = json.loads(shop.run("show", submitted().order_id, "--json", status=status).out)
    assert document["status"] == place
    assert detail in document.get("detail", "")
    assert ("stored_at" in document) == (place == "DELETED")
    assert "customer_id" not in document
    assert len(shop.visible()) == (state == "dead")


# dlq


def dead_orders(number: int) -> list[str]:
    return [write_message(submitted(str(place))) for place in range(number)]


@pytest.mark.parametrize("more", [[], ["--notifications"]], ids=["orders", "notifications"])
@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("list", 0, "is empty"),
        ("show", 3, "No message in the dead-letter queue"),
        ("redrive --yes", 0, "0 messages to redrive in the dead-letter queue"),
        ("drop --yes --to dropped.jsonl", 0, "0 messages to drop in the dead-letter queue"),
    ],
)
def test_dlq_commands_report_an_empty_queue_and_hidden_messages(
    shop: Shop, command: str, more: list[str], status: int, message: str
) -> None:
    queue = "notifications_dlq_url" if more else "orders_dlq_url"
    empty = shop.run("dlq", *command.split(), *more, status=status).err
    assert message in empty
    assert "hidden" not in empty
    shop.send_dead_letters("received by another reader", queue=queue)
    shop.hide(1, queue)
    hidden = shop.run("dlq", *command.split(), *more, status=1).err
    assert "1 message hidden by another reader or a killed run" in hidden
    assert list(Path().iterdir()) == []


def test_dead_letters_are_listed_redriven_dropped_and_sent_from_a_file(shop: Shop) -> None:
    orders = dead_orders(2)
    shop.send_dead_letters(*POISON, *orders)
    listed = json.loads(shop.run("dlq", "list", "--json").out)
    assert (listed["messages"], listed["hidden"]) == (5, 0)
    assert [(group["count"], group["reason"], group["kind"]) for group in listed["groups"]] == [
        (3, "the message is not JSON", "UNREADABLE"),
        (2, "no reason was logged", "UNKNOWN"),
    ]
    assert json.loads(shop.run("dlq", "list", "--json", "--since", "2999-01-01").out)["messages"] == 0
    for command in ("redrive", "drop"):
        unconfirmed = shop.run("dlq", command, "--kind", "all", status=1)
        assert "the message is not JSON" in unconfirmed.out
        assert "Nothing was done: without a terminal, confirm with --yes." in unconfirmed.err
        assert f"would {command} 5 messages" in shop.run("dlq", command, "--kind", "all", "--dry-run", "--yes").err
    limited = shop.run("dlq", "drop", "--limit", "1", "--dry-run").err
    assert "would drop 1 message" in limited
    assert "not selected: 2 unknown (select them by --kind" in limited
    assert (len(shop.visible()), shop.visible("orders_queue_url"), list(Path().iterdir())) == (5, [], [])

    one = shop.run("dlq", "redrive", "--yes", "--json", "--order", f" {submitted('1').order_id.upper()} ")
    assert json.loads(one.out)["redriven"] == 1
    assert shop.visible("orders_queue_url") == orders[1:]
    assert "not selected: 3 unreadable (select them by --kind" in shop.run("dlq", "redrive", "--dry-run").err
    dropped = json.loads(shop.run("dlq", "drop", "--yes", "--json", "--to", "dropped.jsonl").out)
    assert (dropped["dropped"], dropped["file"], dropped["not_moved"]) == (3, "dropped.jsonl", 0)
    assert Path("dropped.jsonl").stat().st_mode & 0o777 == 0o600
    assert shop.visible() == orders[:1]
    assert "1 message redriven" in shop.run("dlq", "redrive", "--yes").err
    assert shop.visible() == []

    again = shop.run("dlq", "redrive", "--from", "dropped.jsonl", "--limit", "2", "--yes")
    assert "the message is not JSON" in again.out
    assert "no reason logged" not in again.out
    assert set(orders) < set(shop.visible("orders_queue_url")) < {*POISON, *orders}
    assert len(Path("dropped.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("error", "status"), [(OSError(errno.EINVAL, ""), 0), (OSError(errno.ENOSPC, ""), 1), (KeyboardInterrupt(), 130)]
)
def test_dlq_drop_keeps_messages_and_no_empty_file_when_writing_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        # Some file systems cannot sync a directory.
        if status == 1 or stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise error
        fsync(descriptor)

    shop.send_dead_letters(*POISON)
    monkeypatch.setattr(os, "fsync", fail)
    shop.run("dlq", "drop", "--yes", "--to", "dropped.jsonl", status=status)
    assert len(shop.visible()) == (0 if status == 0 else 3)
    assert Path("dropped.jsonl").exists() == (status != 130)


@pytest.mark.parametrize(
    "command", ["dlq redrive --kind all", "dlq drop --kind all --to file", "restore copy", "erase --customer 002"]
)
def test_interrupted_command_prints_counts_and_hides_no_message(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    shop.send_dead_letters(*POISON, *dead_orders(22))
    shop.copy(*map(order_of, range(25)))
    shop.store(*(order_of(number, customer_id="002") for number in range(30, 35)))
    calls = itertools.count()

    def interrupt(*_: object) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("orders_cli.queue.time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupt))
    monkeypatch.setattr(OrdersTable, "delete", interrupt)
    err = shop.run(*command.split(), "--yes", status=130).err
    [done] = map(int, re.findall(r"orders: (\d+) \w+ (?:redriven|dropped|restored|deleted)", err))
    assert err.endswith("orders: stopped\n")
    depth = Queue(shop.sqs, shop.outputs["orders_dlq_url"]).depth()
    assert done == {"d": 25 - depth.visible, "r": 20, "e": 2}[command[0]]
    assert 0 < done < 25
    if command.startswith("erase"):
        [receipt] = Path().glob("order-processing-dev-erasure-*.json")
        assert json.loads(receipt.read_text())["is_complete"] is False


def test_watch_ends_with_status_0_at_ctrl_c(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orders_cli.commands.system.time", SimpleNamespace(sleep=interrupt))
    shop.send_dead_letters(*POISON)
    out = shop.run("watch").out
    assert "dead_letters=3" in out
    counted = ["accepted", "refused", "stored", "duplicate", "notified", "failed_attempts"]
    assert re.findall(r"(\w+)=", out) == [*counted, "waiting", "in_flight", "dead_letters", "dead_notifications"]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_dry_run_of_a_pause_reports_only_the_state(shop: Shop, command: str) -> None:
    shop.functions.list_event_source_mappings.return_value = {"EventSourceMappings": [{"UUID": "mapping"}]}
    shop.functions.get_event_source_mapping.return_value = {"State": "Enabled"}
    [_, report] = shop.run(command, "--dry-run").err.splitlines()
    assert re.fullmatch("orders: processing is enabled and would be (dis|en)abled; nothing was done", report)


def test_dlq_commands_handle_unreadable_notification_entries(shop: Shop) -> None:
    bodies = ["unexpected", "[]", "{}", '{"DDBStreamBatchInfo": {"startSequenceNumber": 5}}']
    shop.send_dead_letters(*bodies, queue="notifications_dlq_url")
    [group] = json.loads(shop.run("dlq", "list", "--notifications", "--json").out)["groups"]
    assert (group["count"], group["reason"], group["notifications"]) == (4, "not written by Lambda", 0)
    shown = shop.run("dlq", "show", "--notifications", "--limit", "1", "--json").out
    assert json.loads(shown)["reason"] == group["reason"]
    assert "not selected: 4 unreadable" in shop.run("dlq", "redrive", "--notifications", "--yes").err
    redriven = shop.run("dlq", "redrive", "--notifications", "--kind", "all", "--yes", status=1)
    assert "the stream no longer holds the orders of 4 entries" in redriven.err
    shop.run("dlq", "drop", "--notifications", "--dry-run", "--to", "dropped.jsonl")
    assert shop.visible("notifications_dlq_url") == sorted(bodies)
    shop.run("dlq", "drop", "--notifications", "--yes", "--to", "dropped.jsonl")
    assert shop.visible("notifications_dlq_url") == []
    assert {json.loads(line)["body"] for line in Path("dropped.jsonl").read_text().splitlines()} == set(bodies)


# submit


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The request bodies received by an API that accepts every order."""
    bodies: list[bytes] = []

    def submit(self: object, body: bytes, key: str) -> Submission:
        bodies.append(body)
        return Submission(Verdict.ACCEPTED, {"order_id": "the id"})

    monkeypatch.setattr("orders_cli.commands.submit.OrderApi.submit", submit)
    return bodies


ONE_ORDER = "--customer 001 --product Banana --quantity 1 --date 2025-04-25"


def test_submit_asks_for_confirmation_in_production(
    shop: Shop, api: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.outputs["orders_table_name"] = "order-processing-prod-orders"
    assert "confirm with --yes" in shop.run("submit", *ONE_ORDER.split(), status=1).err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        "orders_cli.options.click.confirm", lambda question, **_: "order-processing-prod" not in question
    )
    shop.run("submit", *ONE_ORDER.split(), status=1)
    assert api == []
    shop.run("submit", *ONE_ORDER.split(), "--yes")
    assert len(api) == 1


def test_submit_asks_nothing_outside_production(shop: Shop, api: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.run("submit", *ONE_ORDER.split()).out == "the id\n"
    assert json.loads(api[0])["quantity"] == "1"
    assert json.loads(shop.run("submit", *ONE_ORDER.split(), "--dry-run", "--json").out)["verdict"] == "VALID"
    assert (
        "VALIDATION_FAILED"
        in shop.run("submit", *ONE_ORDER.replace("04-25", "02-30").split(), "--dry-run", status=1).err
    )
    monkeypatch.setenv("ORDERS_TOKEN", "to\nken")
    assert "ORDERS_TOKEN is not a token" in shop.run("submit", *ONE_ORDER.split(), status=2).err
    assert len(api) == 1


def test_submit_file_keeps_the_order_of_lines(shop: Shop, api: list[bytes]) -> None:
    rows = [f"001,Banana,{quantity},2025-04-25" for quantity in range(1, 302)]
    Path("orders.csv").write_text("\n".join(["customer_id,product_id,quantity,order_date", *rows, "a,b"]))
    for verdict, more in {"VALID": ["--dry-run"], "ACCEPTED": []}.items():
        submitted = shop.run("submit", "orders.csv", "--json", *more, status=1)
        found = [(line["line"], line["verdict"]) for line in map(json.loads, submitted.out.splitlines())]
        assert found == [*((number, verdict) for number in range(2, 303)), (303, "REFUSED")]
    assert len(api) == 301


def test_submit_file_uses_secret_keys_and_prints_counts_when_interrupted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def submit(self: object, body: bytes, key: str) -> Submission:
        keys.append(key)
        if len(keys) == 3:
            raise KeyboardInterrupt
        return Submission(Verdict.ACCEPTED)

    monkeypatch.setattr("orders_cli.commands.submit.OrderApi.submit", submit)
    monkeypatch.setattr("orders_cli.commands.submit._CONCURRENCY", 1)
    monkeypatch.setattr(OrdersTable, "table_id", "a secret of the account")
    text = "customer_id,product_id,quantity,order_date\n" + "001,Banana,1,2025-04-25\n" * 5
    Path("orders.csv").write_text(text)
    err = shop.run("submit", "orders.csv", status=130).err
    assert "2 orders: 2 accepted" in err
    assert "run the same command again for the rest" in err
    predictable = read_orders(io.BytesIO(text.encode()), "orders.csv", "")
    assert keys[0] not in [line.idempotency_key for line in predictable]


# The command line


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("show nonsense", 3, "checksum is wrong. Check it for typos"),
        ("show 00000000-0000-8000-8000-000000000000", 3, "checksum is wrong. Check it for typos"),
        ("dlq drop --yes --to existing", 2, "existing already exists and is not overwritten"),
        (
            "dlq drop --yes --to missing/new",
            1,
            "missing/new cannot be created (No such file or directory). Name another",
        ),
        ("dlq redrive --yes --from missing", 2, "'missing': No such file or directory"),
        ("dlq redrive --yes --from existing", 1, "Line 1 of existing is not a dropped message"),
        ("dlq redrive --yes --from local-time", 1, "Line 1 of local-time is not a dropped message. Name a file that"),
        ("dlq redrive --yes --from incomplete", 0, "0 messages to redrive in incomplete"),
        ("dlq redrive --notifications --rate 5", 2, "--from and --rate are for orders"),
        (f"dlq show --notifications --order {submitted().order_id}", 2, "--order does not apply to --notifications"),
        ("dlq redrive --order 00000000-0000-8000-8000-000000000000", 3, "its checksum is wrong"),
        ("restore no-such-table --yes", 3, "The table no-such-table does not exist"),
        ("restore order-processing-dev-orders", 2, "system's own table"),
        ("submit .", 2, "'.': Is a directory"),
        ("submit --customer 001", 2, "Give a FILE, or all of --customer"),
        ("submit existing --customer 001", 2, "Give either a FILE or one order"),
        ("submit -", 2, "need a --batch"),
        (f"submit --batch b {ONE_ORDER}", 2, "--batch applies only to a FILE"),
        (f"submit --key späte {ONE_ORDER}", 2, "An Idempotency-Key is 1 to 255 visible ASCII characters"),
        (f"submit --key {'k' * 256} {ONE_ORDER}", 2, "An Idempotency-Key is 1 to 255 visible ASCII characters"),
        ("erase --customer \N{NO-BREAK SPACE}", 2, "'--customer': it is empty"),
        ("list --customer \N{NO-BREAK SPACE}", 2, "'--customer': it is empty"),
        ("restore \N{NO-BREAK SPACE}", 2, "'TABLE': it is empty"),
        ("list --customer 001 --since 1d --until 2d", 2, "--since is later than --until"),
        ("list --customer 001 --local --stack x", 2, "each name a system: give one of them"),
        ("list --customer 001 --local --profile x", 2, "--region and --profile do not apply to the local stack"),
        ('trace a"b', 2, "This is not an id"),
    ],
)
def test_bad_input_is_reported_and_nothing_changes(shop: Shop, command: str, status: int, message: str) -> None:
    shop.send_dead_letters(*POISON)
    Path("existing").write_text("precious\n")
    Path("incomplete").write_text('{"message_id"')
    local = {"message_id": "a", "body": "b", "reason": "c", "sent_at": "2025-04-25T10:00:00"}
    Path("local-time").write_text(json.dumps(local) + "\n")
    err = shop.run(*command.split(" "), status=status).err
    assert message in " ".join(err.split())
    is_checked_first = command.startswith("show") or (status == 2 and command != "restore order-processing-dev-orders")
    assert not is_checked_first or "using" not in err
    assert (Path("existing").read_text(), shop.visible()) == ("precious\n", sorted(POISON))
    assert shop.visible("orders_queue_url") == []


COMMANDS = ["status", "submit", "show", "list", "watch", "trace", "pause", "resume", "notify", "restore", "erase"]
COMMANDS += [f"dlq {command}" for command in ("list", "show", "redrive", "drop")]


@pytest.mark.parametrize("command", ["", "dlq", *COMMANDS])
def test_help_is_complete_for_every_command(command: str, shop: Shop) -> None:
    out = shop.run(*command.split(), "--help").out
    assert "..." not in out.partition("Commands:")[2], "a short help text is truncated"
    if command in COMMANDS:
        assert "System: the local stack" in out
        assert "--json" in out


def test_progress_is_drawn_on_standard_error_only(
    shop: Shop, api: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send_dead_letters(*POISON)
    Path("orders.csv").write_text("customer_id,product_id,quantity,order_date\n001,Banana,1,2025-04-25\n")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    listed = shop.run("dlq", "list", "--json")
    assert json.loads(listed.out)["messages"] == 3
    assert "Reading the dead-letter queue" in listed.err
    submitted = shop.run("submit", "orders.csv", "--json")
    assert json.loads(submitted.out)["verdict"] == "ACCEPTED"
    # On a terminal, a bar would be mixed with the lines of JSON.
    assert "1 order: 1 accepted" in submitted.err
    assert "Submitting" not in submitted.err


def test_command_prints_version_and_completions(shop: Shop) -> None:
    assert re.fullmatch(r"orders \d+\.\d+\.\d+\n", shop.run("--version").out)
    environment = {**os.environ, "_ORDERS_COMPLETE": "bash_complete", "COMP_WORDS": "orders dlq re", "COMP_CWORD": "2"}
    completed = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, check=False)
    assert completed.stdout == "plain,redrive\n"


def test_aws_error_is_printed_without_a_traceback(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.dynamodb, "get_paginator", mock.Mock(side_effect=NoCredentialsError))
    err = shop.run("list", "--customer", "001", status=1).err
    assert err.splitlines()[1:] == [f"orders: {sentence_about(NoCredentialsError())}"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("--help >/dev/full", 1, r"orders: The output cannot be written \(No space left on device\)\.\n"),
        ("--help >&-", 0, ""),
        ("--help >&- 2>&-", 0, ""),
        ("submit - <&-", 2, r"Usage: .*\n.*\n\nError: Orders on standard input need a --batch.*\n"),
    ],
)
def test_unusable_standard_stream_gives_no_traceback(arguments: str, status: int, message: str) -> None:
    if "/dev/full" in arguments and not Path("/dev/full").exists():
        pytest.skip("/dev/full does not exist")
    command = ["sh", "-c", f'"$0" {arguments}', str(COMMAND)]
    finished = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert finished.returncode == status
    assert re.fullmatch(message, finished.stderr)


# erase


def test_erase_deletes_only_the_orders_of_the_customer(shop: Shop) -> None:
    shop.store(*map(order_of, range(3)), order_of(9, customer_id="002"))
    before = shop.stored()
    preview = shop.run("erase", "--customer", " 001 ", "--dry-run")
    assert "2025-04-25T10:00:00.258Z to 2025-04-25T10:02:00.258Z" in preview.out
    assert "would delete 3 stored orders; nothing was done" in preview.err
    assert "without a terminal, confirm with --yes" in shop.run("erase", "--customer", "001", status=1).err
    assert (shop.stored(), list(Path().iterdir())) == (before, [])

    erased = json.loads(shop.run("erase", "--customer", "001", "--yes", "--json").out)
    assert shop.stored().keys() == {order_of(9).order_id}
    assert (erased["orders_deleted"], erased["is_complete"]) == (3, True)
    receipt = Path(erased["receipt"])
    assert receipt.stat().st_mode & 0o777 == 0o600
    assert json.loads(receipt.read_text())["orders_deleted"] == 3
    assert not [text for text in ("001", *(order_of(n).order_id for n in range(3))) if text in receipt.read_text()]

    assert "already exists" in shop.run("erase", "--customer", "001", "--to", receipt, status=2).err
    assert "0 orders deleted" in shop.run("erase", "--customer", "001", "--to", "second.json").err


@pytest.mark.parametrize(
    ("queue", "body", "hidden", "left", "message"),
    [
        ("orders_queue_url", "another order", 0, (1, 0, 0), "1 message in the orders queue: an order of this customer"),
        ("orders_dlq_url", write_message(submitted()), 0, (0, 1, 0), "1 dead letter of this customer: drop each"),
        ("orders_dlq_url", '{"customer_id": "001"}', 0, (0, 1, 0), "1 dead letter of this customer: drop each"),
        ("orders_dlq_url", "another order", 1, (0, 0, 1), "1 dead letter hidden by another reader"),
        ("orders_dlq_url", '{"customer_id": "001x"}', 0, (0, 0, 0), ""),
        ("orders_dlq_url", write_message(submitted(order=Order("002", "001", 1, "2025-04-25"))), 0, (0, 0, 0), ""),
    ],
    ids=[
        "orders queue",
        "dead letter",
        "unreadable dead letter",
        "hidden dead letter",
        "unreadable dead letter of another customer",
        "another customer",
    ],
)
def test_erase_reports_messages_that_may_be_left_in_queues(
    shop: Shop, queue: str, body: str, hidden: int, left: tuple[int, int, int], message: str
) -> None:
    shop.send_dead_letters(body, queue=queue)
    if hidden:
        shop.hide(1)
    erased = shop.run("erase", "--customer", "001", "--yes", "--json", status=int(any(left)))
    assert tuple(json.loads(erased.out)["left"].values()) == left
    assert message in erased.err
    assert ("do not redrive them: the orders would be stored again" in erased.err) == bool(left[1])


@pytest.mark.parametrize(
    ("recovery", "days"),
    [
        ({"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7}, 7),
        ({"PointInTimeRecoveryStatus": "ENABLED"}, 35),
        ({"PointInTimeRecoveryStatus": "DISABLED"}, None),
    ],
)
def test_erase_reports_when_point_in_time_recovery_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, recovery: dict[str, Any], days: int | None
) -> None:
    description = {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}
    monkeypatch.setattr(shop.dynamodb, "describe_continuous_backups", lambda **_: description)
    erased = shop.run("erase", "--customer", "001", "--json")
    until = days and str((utc_now() + timedelta(days=days)).date())
    assert json.loads(erased.out)["point_in_time_recovery_until"] == until
    assert (f"keeps deleted orders until {until}" if days else "is off, so it keeps no deleted orders") in erased.err


# restore


def test_restore_compares_tables_and_asks_for_confirmation(shop: Shop) -> None:
    shop.store(order_of(1), order_of(2))
    before = shop.stored()
    copy = shop.copy(order_of(1), order_of(2, quantity=9), *map(order_of, range(3, 104)))
    shop.dynamodb.put_item(TableName=copy, Item={"order_id": {"S": "broken"}, "customer_id": {"S": "001"}})
    compared = shop.run("restore", copy, "--dry-run", "--json")
    assert json.loads(compared.out) == {
        "orders": 104,
        "same": 1,
        "missing": 101,
        "different": {
            order_of(2).order_id: "the table holds other content",
            "broken": "missing, and incomplete in the copy too",
        },
        "restored": 0,
        "already_stored": 0,
        "refused": 0,
    }
    assert "101 orders would be restored; nothing was done" in compared.err
    assert "Nothing was done: without a terminal" in shop.run("restore", copy, status=1).err
    assert shop.stored() == before


def test_restore_rejects_a_copy_that_is_still_being_created(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shop.copy(order_of(1))
    monkeypatch.setattr(shop.dynamodb, "describe_table", lambda **_: {"Table": {"TableStatus": "CREATING"}})
    err = shop.run("restore", copy, "--yes", status=1).err
    assert "copy is CREATING: wait with `aws dynamodb wait table-exists" in err


@pytest.mark.parametrize(
    ("result", "status", "message"),
    [
        (AlreadyExists(SAMPLE_ORDER), 0, "2 orders already stored by another process"),
        (Rejected("ThrottlingError"), 1, "2 orders could not be stored: run this again"),
        (StoreUnavailableError(), 1, "The table stopped accepting orders (ClientError). Run this again"),
    ],
)
def test_restore_reports_orders_that_are_not_inserted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, result: InsertResult | Exception, status: int, message: str
) -> None:
    def insert(_: object, orders: list[ProcessedOrder]) -> dict[str, InsertResult]:
        if isinstance(result, Exception):
            raise result from aws_error("ThrottlingException")
        return {order.order_id: result for order in orders}

    monkeypatch.setattr(DynamoDbOrderTable, "insert", insert)
    err = shop.run("restore", shop.copy(order_of(1), order_of(2)), "--yes", status=status).err
    assert message in err
    assert "0 orders restored" in err
