"""The least that takes an order: what came is sent to the queue, unread."""

import json
import os
from typing import Any

import boto3

client = boto3.client("sqs")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Send the body to the queue."""
    client.send_message(QueueUrl=os.environ["ORDERS_QUEUE_URL"], MessageBody=event["body"])
    # A line of the log, as every function writes: on the emulator one that writes none is 50 ms late.
    print(json.dumps({"level": "INFO", "message": "order_accepted"}))
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": '{"status": "ACCEPTED"}'}
