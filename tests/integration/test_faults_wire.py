"""The fault campaign's proxy: what a function's SDK and what the AWS API see of each fault."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from faults.wire import Proxy
from faults.wire_faults import WireFaults
from local_stack.aws import AwsConnection, new_credentials
from support.waiting import wait_for

SEED = 17
STATEMENTS = [{"Statement": f"INSERT {number}"} for number in range(4)]
ENTRIES = [{"Id": str(number), "Message": f"order {number}, 100 % & more"} for number in range(4)]


class FakeAws(BaseHTTPRequestHandler):
    """Does whatever it is asked for, and remembers each effect."""

    effects: ClassVar[list[str]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        act = {"SendMessage": self.send_message, "BatchExecuteStatement": self.execute}
        answer = act.get(self.headers.get("X-Amz-Target", "").rpartition(".")[2], self.publish)(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def send_message(self, body: bytes) -> str:
        self.effects.append(json.loads(body)["MessageBody"])
        return json.dumps({"MessageId": "1"})

    def execute(self, body: bytes) -> str:
        done = [statement["Statement"] for statement in json.loads(body)["Statements"]]
        self.effects.extend(done)
        return json.dumps({"Responses": [{"TableName": statement} for statement in done]})

    def publish(self, body: bytes) -> str:
        form = parse_qs(body.decode())
        ids = [form[name][0] for name in sorted(form) if name.endswith(".Id")]
        self.effects.extend(form[name][0] for name in sorted(form) if name.endswith(".Message"))
        members = "".join(f"<member><Id>{i}</Id><MessageId>m{i}</MessageId></member>" for i in ids)
        return (
            '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>'
            f"<Failed/><Successful>{members}</Successful></PublishBatchResult></PublishBatchResponse>"
        )

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def effects() -> list[str]:
    FakeAws.effects.clear()
    return FakeAws.effects


@pytest.fixture
def faults() -> WireFaults:
    return WireFaults()


@pytest.fixture
def proxy(effects: list[str], faults: WireFaults) -> Iterator[Proxy]:
    aws = ThreadingHTTPServer(("127.0.0.1", 0), FakeAws)
    threading.Thread(target=aws.serve_forever, args=(0.01,), daemon=True).start()
    connection = AwsConnection(f"http://127.0.0.1:{aws.server_address[1]}", "us-east-1", new_credentials())
    with Proxy(connection, faults) as running:
        yield running
    aws.shutdown()
    aws.server_close()


def client(proxy: Proxy, service: str, read_timeout: float = 10) -> Any:
    """Return a client as a function has it, which tries once only."""
    return boto3.client(
        service,
        endpoint_url=proxy.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}, proxies={}),
    )


def send(proxy: Proxy, read_timeout: float = 10, text: str = "order") -> Any:
    return client(proxy, "sqs", read_timeout).send_message(QueueUrl=f"{proxy.url}/0/orders", MessageBody=text)


def until_struck(faults: WireFaults, kind: str, act: Any) -> Any:
    """Repeat `act` until a fault of this kind strikes it, and return what came of that; one soon does."""
    with faults.active(SEED, [kind]):
        for _ in range(10):
            FakeAws.effects.clear()
            try:
                result = act()
            except Exception as error:
                result = error
            if faults.fired[kind]:
                return result
    raise AssertionError(f"{kind} never struck")


def test_without_faults_a_request_and_its_answer_are_passed_on(proxy: Proxy, effects: list[str]) -> None:
    assert send(proxy)["MessageId"] == "1"
    assert effects == ["order"]


def test_a_refused_call_has_no_effect(proxy: Proxy, faults: WireFaults, effects: list[str]) -> None:
    error = until_struck(faults, "send_refused", lambda: send(proxy))
    assert isinstance(error, ClientError)
    assert effects == []


def test_a_lost_answer_leaves_the_effect(proxy: Proxy, faults: WireFaults, effects: list[str]) -> None:
    error = until_struck(faults, "send_answer_lost", lambda: send(proxy, read_timeout=1))
    assert isinstance(error, ConnectionClosedError | ReadTimeoutError)
    assert effects == ["order"]


def test_a_call_that_times_out_ends_with_its_client_and_has_no_effect(
    proxy: Proxy, faults: WireFaults, effects: list[str]
) -> None:
    def act() -> None:
        try:
            send(proxy, read_timeout=0.3)
        finally:
            wait_for("the proxy to see it", lambda: proxy.under_way == 0)

    assert isinstance(until_struck(faults, "send_timed_out", act), ReadTimeoutError)
    assert effects == []


def test_when_the_faults_are_over_nobody_waits_any_more(proxy: Proxy, faults: WireFaults) -> None:
    threading.Timer(0.3, proxy.faults_are_over.set).start()
    assert isinstance(until_struck(faults, "send_timed_out", lambda: send(proxy)), ConnectionClosedError)


def test_a_message_that_is_delivered_twice_was_sent_once(proxy: Proxy, faults: WireFaults, effects: list[str]) -> None:
    assert until_struck(faults, "duplicate_delivery", lambda: send(proxy))["MessageId"] == "1"
    while faults.late_copies:
        faults.late_copies.pop().forward()
    assert effects == ["order", "order"]


@pytest.mark.parametrize("kind", ["store_throttled_in_part", "store_failed"])
def test_statements_fail_where_the_answer_says_so_and_nowhere_else(
    proxy: Proxy, faults: WireFaults, effects: list[str], kind: str
) -> None:
    dynamodb = client(proxy, "dynamodb")
    answer = until_struck(faults, kind, lambda: dynamodb.batch_execute_statement(Statements=STATEMENTS))
    if isinstance(answer, ClientError):
        assert effects == [], "failed as a whole"
        return
    assert len(answer["Responses"]) == len(STATEMENTS)
    done = [
        statement["Statement"]
        for statement, response in zip(STATEMENTS, answer["Responses"], strict=True)
        if "Error" not in response
    ]
    assert effects == done
    assert len(done) < len(STATEMENTS)


def test_a_batch_done_in_part_is_not_answered(proxy: Proxy, faults: WireFaults, effects: list[str]) -> None:
    dynamodb = client(proxy, "dynamodb")
    error = until_struck(faults, "store_done_in_part", lambda: dynamodb.batch_execute_statement(Statements=STATEMENTS))
    assert isinstance(error, ConnectionClosedError)
    assert effects == ["INSERT 0", "INSERT 1"]


def test_entries_are_published_where_the_answer_says_so_and_nowhere_else(
    proxy: Proxy, faults: WireFaults, effects: list[str]
) -> None:
    sns = client(proxy, "sns")
    answer = until_struck(
        faults,
        "topic_failed_in_part",
        lambda: sns.publish_batch(TopicArn="arn:aws:sns:us-east-1:000000000000:t", PublishBatchRequestEntries=ENTRIES),
    )
    published = {entry["Id"] for entry in answer.get("Successful", [])}
    failed = {entry["Id"] for entry in answer["Failed"]}
    assert published | failed == {"0", "1", "2", "3"}
    assert not published & failed
    assert sorted(effects) == [entry["Message"] for entry in ENTRIES if entry["Id"] in published]


def test_the_same_seed_strikes_the_same_requests(proxy: Proxy, effects: list[str]) -> None:
    def struck() -> list[bool]:
        faults = WireFaults()
        proxy.interceptor = faults
        outcomes = []
        with faults.active(SEED, ["send_refused"]):
            for _ in range(20):
                before = faults.fired["send_refused"]
                with contextlib.suppress(ClientError):
                    send(proxy)
                outcomes.append(faults.fired["send_refused"] > before)
        return outcomes

    first = struck()
    assert struck() == first
    assert {True, False} == set(first)


def test_nothing_strikes_any_more_when_its_time_is_over(proxy: Proxy, faults: WireFaults) -> None:
    with faults.active(SEED, ["send_refused"]):
        pass
    for _ in range(10):
        send(proxy)
    assert not faults.fired


def test_no_process_but_a_function_is_ever_killed(proxy: Proxy, faults: WireFaults) -> None:
    """The client here is this very test."""
    with faults.active(SEED, ["killed_before_effect"]):
        for _ in range(10):
            try:
                send(proxy)
            except ConnectionClosedError:
                break
        else:
            raise AssertionError("never struck")
    assert faults.fired["killed_before_effect"] == 0
