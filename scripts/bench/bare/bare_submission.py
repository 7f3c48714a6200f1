"""Baseline of submission: send the request's body to the queue."""

import json
import os
from typing import Any

import boto3

client = boto3.client("sqs")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Send the body to the queue."""
    client.send_message(QueueUrl=os.environ["ORDERS_QUEUE_URL"], MessageBody=event["body"])
    # The real function logs each order too.
    print(json.dumps({"level": "INFO", "message": "order_accepted"}))
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": '{"status": "ACCEPTED"}'}
