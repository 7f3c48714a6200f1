"""Events that AWS sends to the functions."""

import json
from typing import Any

from orders.domain.message import write_message
from orders.domain.order import ProcessedOrder, SubmittedOrder


def http_event(
    body: str | None = None,
    headers: dict[str, str] | None = None,
    *,
    base64: bool = False,
    order_id: str | None = None,
    claims: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an HTTP API event in payload format 2.0. A body or claims of None are left out."""
    event: dict[str, Any] = {
        "version": "2.0",
        "headers": {"content-type": "application/json"} if headers is None else headers,
        "requestContext": {"requestId": "request-1"},
        "isBase64Encoded": base64,
    }
    if body is not None:
        event["body"] = body
    if claims is not None:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    if order_id is not None:
        event["pathParameters"] = {"order_id": order_id}
    return event


def sqs_event(**messages: SubmittedOrder | str) -> dict[str, Any]:
    """Return an SQS event with these message ids and bodies."""
    return {
        "Records": [
            {
                "messageId": message_id,
                "body": content if isinstance(content, str) else write_message(content),
                "attributes": {"ApproximateReceiveCount": "1"},
            }
            for message_id, content in messages.items()
        ]
    }


def stream_event(*orders: ProcessedOrder, event_name: str = "INSERT") -> dict[str, Any]:
    """Return a batch of the table's stream; sequence numbers count from 100."""
    return {
        "Records": [
            {"eventName": event_name, "dynamodb": {"SequenceNumber": str(100 + place), "NewImage": item_of(order)}}
            for place, order in enumerate(orders)
        ]
    }


def item_of(order: ProcessedOrder) -> dict[str, dict[str, str]]:
    return {name: {"N" if name == "quantity" else "S": str(value)} for name, value in order.to_document().items()}


def body_of(response: dict[str, Any]) -> Any:
    return json.loads(response["body"])
