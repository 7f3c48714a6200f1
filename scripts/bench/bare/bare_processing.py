"""Baseline of processing: one unconditional put per message."""

import json
import os
from typing import Any

import boto3

client = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Put each message's order into the table."""
    for record in event["Records"]:
        message = json.loads(record["body"])
        order = message["order"]
        client.put_item(
            TableName=os.environ["ORDERS_TABLE_NAME"],
            Item={
                "order_id": {"S": message["order_id"]},
                "customer_id": {"S": order["customer_id"]},
                "product_id": {"S": order["product_id"]},
                "quantity": {"N": str(order["quantity"])},
                "order_date": {"S": order["order_date"]},
                "submitted_at": {"S": message["submitted_at"]},
                "processed_at": {"S": message["submitted_at"]},
            },
        )
        print(json.dumps({"level": "INFO", "message": "order_stored", "order_id": message["order_id"]}))
    return {"batchItemFailures": []}
