"""The bytes per order in the cost model are those that the real handlers write and send."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

from planning.cost import ORDER_BYTES
from support.repository.files import REPOSITORY

BATCH = 10

# Runs in a process of its own, because a handler's log keeps the stdout of its import.
PROGRAM = """
import botocore.client, io, json, sys
from contextlib import redirect_stdout
log, sent = io.StringIO(), {}
item = {name: {"N": str(value)} if name == "quantity" else {"S": value} for name, value in {
    "order_id": "8f14e45f-ceea-867f-a0e2-1c5b9d3f7a10", "customer_id": "001", "product_id": "Banana", "quantity": 1,
    "order_date": "2025-04-25", "submitted_at": "2025-04-25T10:00:00.000Z", "processed_at": "2025-04-25T10:00:00.250Z",
}.items()}

def call(client, action, parameters):
    sent[action] = parameters
    return {
        "SendMessage": {"MessageId": "1"},
        "GetItem": {"Item": item},
        "BatchExecuteStatement": {"Responses": [{}] * %(batch)d},
        "PublishBatch": {"Failed": [], "Successful": [{"Id": str(place)} for place in range(%(batch)d)]},
    }[action]

botocore.client.BaseClient._make_api_call = call

def run(name, event):
    before = log.tell()
    response = handlers[name](event, None)
    return response, log.tell() - before

with redirect_stdout(log):
    from orders.domain.order_id import random_order_id
    from orders.handlers import notification, processing, status, submission
    handlers = {module.__name__.rpartition(".")[2]: module.handler
                for module in (submission, status, processing, notification)}
    http = {"requestContext": {"requestId": "JKJaXmPLvHcESHA="}, "headers": {"content-type": "application/json"}}
    body = '{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
    run("submission", {**http, "body": body, "isBase64Encoded": False})
    response, submission_log = run("submission", {**http, "body": body, "isBase64Encoded": False})
    message = sent["SendMessage"]["MessageBody"]
    order_id = json.loads(message)["order_id"]
    _, status_log = run("status", {**http, "pathParameters": {"order_id": order_id}})
    _, processing_log = run("processing", {"Records": [
        {"messageId": f"059f36b4-87a3-44ab-83d2-6619754{place:05d}", "attributes": {"ApproximateReceiveCount": "1"},
         "body": message.replace(order_id, random_order_id(bytes([place]) * 12))} for place in range(%(batch)d)]})
    _, notification_log = run("notification", {"Records": [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(place)}}
        for place in range(%(batch)d)]})

def texts(value):
    return [value] if isinstance(value, str) else [t for v in value.values() for t in texts(v)]

entry = sent["PublishBatch"]["PublishBatchRequestEntries"][0]
names = [n for name in entry.get("MessageAttributes", {}) for n in (name,)]
json.dump({
    "message": len(message.encode()),
    # Names and text in UTF-8, a number half a byte per digit and one more:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    "item": sum(len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2)
                for name, value in item.items()),
    "announcement": sum(len(text.encode()) for text in texts(entry) + names),
    "response": len(response["body"]) + sum(len(k) + len(v) + 4 for k, v in response["headers"].items()),
    "submission_log": submission_log,
    "status_log": status_log,
    "processing_log": processing_log // %(batch)d,
    "notification_log": notification_log // %(batch)d,
}, sys.stdout)
"""


def test_order_bytes_of_the_cost_model_are_those_of_the_handlers() -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "lambda"),
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "ORDERS_QUEUE_URL": "http://localhost/123456789012/orders",
        "ORDERS_TABLE_NAME": "order-processing-dev-orders",
        "ORDER_COMPLETED_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:order-processing-dev-order-completed",
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM % {"batch": BATCH}], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == asdict(ORDER_BYTES)
