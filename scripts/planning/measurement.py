"""`python -m planning measure`: what one order is in bytes and in processor time, from the real handlers.

The handlers run in this process against a server on loopback that answers as AWS does, with the sample order
of the README. Bytes are exact; a test holds `workload.MEASURED` to them. Processor time is that of the
thread that runs the handler, the median of many calls, and differs from machine to machine.
"""

import hashlib
import importlib
import io
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import click

_REPOSITORY = Path(__file__).resolve().parents[2]
_CALLS = 200
_WARM_UP_CALLS = 20
_BATCH = 10

# A stored order as DynamoDB writes it; the ids have the lengths that real ones have.
_ITEM = {
    "order_id": {"S": "8f14e45f-ceea-867f-a0e2-1c5b9d3f7a10"},
    "customer_id": {"S": "001"},
    "product_id": {"S": "Banana"},
    "quantity": {"N": "1"},
    "order_date": {"S": "2025-04-25"},
    "submitted_at": {"S": "2025-04-25T10:00:00.000Z"},
    "processed_at": {"S": "2025-04-25T10:00:00.250Z"},
}
_BODY = '{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
_REQUEST_ID = "JKJaXmPLvHcESHA="


@dataclass(frozen=True)
class Measurement:
    """Bytes of the sample order at each station, and milliseconds of processor time of each function.

    Log bytes are those of the functions' own lines: of a request, or of one order in a batch.
    """

    message_bytes: int
    item_bytes: int
    announcement_bytes: int
    answer_bytes: int
    submission_log_bytes: int
    status_log_bytes: int
    processing_log_bytes: int
    notification_log_bytes: int


class _CannedAws(BaseHTTPRequestHandler):
    """Answers each call that the handlers make as AWS would, and keeps what was sent."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, the second one waits 40 ms for the first one's receipt
    sent: dict[str, bytes]

    def do_POST(self) -> None:  # the name that the base class calls
        """Answer one call."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or dict(parse_qsl(body.decode()))["Action"]
        self.sent[action] = body
        answer, kind = self._answer(action, body)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, action: str, body: bytes) -> tuple[bytes, str]:
        if action == "PublishBatch":
            entries = "".join(
                f"<member><Id>{place}</Id><MessageId>{place}</MessageId></member>" for place in range(_BATCH)
            )
            return (
                f"<PublishBatchResponse><PublishBatchResult><Failed/><Successful>{entries}</Successful>"
                "</PublishBatchResult></PublishBatchResponse>"
            ).encode(), "text/xml"
        document: dict[str, Any] = {}
        if action == "SendMessage":
            text = json.loads(body)["MessageBody"]
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            document = {"MessageId": "1", "MD5OfMessageBody": digest}
        elif action == "BatchExecuteStatement":
            document = {"Responses": [{} for _ in json.loads(body)["Statements"]]}
        elif action == "GetItem":
            document = {"Item": _ITEM}
        return json.dumps(document).encode(), "application/x-amz-json-1.0"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _canned_aws() -> Iterator[dict[str, bytes]]:
    sent: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_CannedAws,), {"sent": sent}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ORDERS_QUEUE_URL": f"http://127.0.0.1:{server.server_port}/123456789012/orders",
        "ORDERS_TABLE_NAME": "order-processing-dev-orders",
        "ORDER_COMPLETED_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:order-processing-dev-order-completed",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield sent
    finally:
        server.shutdown()
        server.server_close()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def measure_orders() -> tuple[Measurement, dict[str, float]]:
    """Return the sample order's bytes, and each function's processor milliseconds of an invocation.

    Processing and notification are invoked with batches of ten.
    """
    log = io.StringIO()
    sys.path.insert(0, str(_REPOSITORY / "lambda"))
    with _canned_aws() as sent, redirect_stdout(log):
        # The log's own handler keeps the stream that is there at its import.
        functions = {
            name: importlib.import_module(f"orders.handlers.{name}").handler
            for name in ("submission", "status", "processing", "notification")
        }

        def invoke(name: str, event: dict[str, Any]) -> tuple[dict[str, Any], int]:
            start = log.tell()
            answer = functions[name](event, None)
            return answer, log.tell() - start

        http = {"requestContext": {"requestId": _REQUEST_ID}, "headers": {"content-type": "application/json"}}
        submission_event = {**http, "body": _BODY, "isBase64Encoded": False}
        answer, submission_log_bytes = invoke("submission", submission_event)
        message = json.loads(sent["SendMessage"])["MessageBody"]
        batch = {
            "Records": [
                {
                    "messageId": f"059f36b4-87a3-44ab-83d2-6619754{place:05d}",
                    "body": message.replace(json.loads(message)["order_id"], _other_order_id()),
                    "attributes": {"ApproximateReceiveCount": "1"},
                }
                for place in range(_BATCH)
            ]
        }
        stream = {
            "Records": [
                {"eventName": "INSERT", "dynamodb": {"NewImage": _ITEM, "SequenceNumber": str(place)}}
                for place in range(_BATCH)
            ]
        }
        events: dict[str, dict[str, Any]] = {
            "submission": submission_event,
            "status": {**http, "pathParameters": {"order_id": json.loads(message)["order_id"]}},
            "processing": batch,
            "notification": stream,
        }
        log_bytes = {name: invoke(name, event)[1] for name, event in events.items()}
        milliseconds = {name: _processor_milliseconds(functions[name], event) for name, event in events.items()}
        publication = dict(parse_qsl(sent["PublishBatch"].decode()))
    own = [value for key, value in publication.items() if key.startswith("PublishBatchRequestEntries.member.1.")]
    return (
        Measurement(
            message_bytes=len(message.encode()),
            item_bytes=_item_bytes(),
            announcement_bytes=sum(len(value.encode()) for value in own),
            answer_bytes=len(answer["body"].encode()) + sum(len(k) + len(v) + 4 for k, v in answer["headers"].items()),
            submission_log_bytes=submission_log_bytes,
            status_log_bytes=log_bytes["status"],
            processing_log_bytes=log_bytes["processing"] // _BATCH,
            notification_log_bytes=log_bytes["notification"] // _BATCH,
        ),
        milliseconds,
    )


def _other_order_id() -> str:
    order_id = importlib.import_module("orders.domain.order_id")
    return str(order_id.random_order_id(os.urandom(order_id.RANDOM_BYTES)))


def _item_bytes() -> int:
    """Return an item's size by DynamoDB's rule: names and text in UTF-8, a number half a byte a digit and one more.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(
        len(name) + (len(value["S"].encode()) if "S" in value else len(value["N"]) // 2 + 2)
        for name, value in _ITEM.items()
    )


def _processor_milliseconds(handler: Any, event: dict[str, Any]) -> float:
    taken = []
    for call in range(_CALLS):
        start = time.thread_time()
        handler(event, None)
        if call >= _WARM_UP_CALLS:
            taken.append(time.thread_time() - start)
    return statistics.median(taken) * 1000


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def measure(as_json: bool) -> None:
    """Measure an order's bytes and each function's own processor time, without AWS."""
    sizes, milliseconds = measure_orders()
    document = {"bytes": asdict(sizes), "processor_milliseconds": {k: round(v, 2) for k, v in milliseconds.items()}}
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for heading, values in document.items():
        click.echo(heading.replace("_", " "))
        for name, value in values.items():
            click.echo(f"  {name.replace('_', ' '):28}{value:>8}")
