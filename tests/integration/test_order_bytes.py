"""The cost model's bytes per order equal the bytes that the handlers write and send."""

import json

from planning.cost import ORDER_BYTES
from support.machine.python import run_python

# Runs in a separate process, because a handler's logger keeps the stdout of its import.
PROGRAM = """
import importlib, io, json, sys
from contextlib import redirect_stdout
from dataclasses import replace
import botocore.client
from support.sample_orders import SAMPLE_BODY, processed, submitted
from support.stub_aws.events import http_event, item_of, sqs_event, stream_event

log, sent, batch, item = io.StringIO(), {}, [str(place) for place in range(10)], item_of(processed())
responses = {
    "SendMessage": {"MessageId": "1"},
    "GetItem": {"Item": item},
    "BatchExecuteStatement": {"Responses": [{} for _ in batch]},
    "PublishBatch": {"Failed": [], "Successful": [{"Id": place} for place in batch]},
}

def call(client, action, parameters):
    sent[action] = parameters
    return responses[action]

def run(name, event):
    if "requestContext" in event:
        event["requestContext"]["requestId"] = "JKJaXmPLvHcESHA="
    before = log.tell()
    response = importlib.import_module(f"orders.handlers.{name}").handler(event, None)
    return response, log.tell() - before

botocore.client.BaseClient._make_api_call = call
with redirect_stdout(log):
    response, submission_log = run("submission", http_event(SAMPLE_BODY.decode()))
    _, status_log = run("status", http_event(order_id=processed().order_id))
    _, processing_log = run("processing", sqs_event(**{
        f"059f36b4-87a3-44ab-83d2-66197540000{place}": replace(submitted(place), request_id="JKJaXmPLvHcESHA=")
        for place in batch
    }))
    _, notification_log = run("notification", stream_event(*map(processed, batch)))

def texts(value):
    return [value] if isinstance(value, str) else [text for each in value.values() for text in texts(each)]

entry = sent["PublishBatch"]["PublishBatchRequestEntries"][0]
json.dump({
    "message": len(sent["SendMessage"]["MessageBody"]),
    # Names and text in UTF-8. A number has half a byte per digit and one more byte:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    "item": sum(len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2)
                for name, value in item.items()),
    "announcement": sum(len(text.encode()) for text in [*texts(entry), *entry["MessageAttributes"]]),
    "response": len(response["body"]) + sum(len(k) + len(v) + 4 for k, v in response["headers"].items()),
    "submission_log": submission_log,
    "status_log": status_log,
    "processing_log": processing_log // len(batch),
    "notification_log": notification_log // len(batch),
}, sys.stdout)
"""


def test_cost_model_bytes_equal_those_of_the_handlers() -> None:
    [printed] = run_python(PROGRAM)
    assert json.loads(printed) == ORDER_BYTES
