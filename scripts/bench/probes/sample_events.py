"""What AWS hands the functions: a request, ten messages, ten records of the stream. Needs `orders` on the path."""

from typing import Any

from orders.domain.message import write_message
from orders.domain.order import Order, ProcessedOrder, SubmittedOrder
from orders.domain.order_id import random_order_id

_TIME = "2025-04-25T10:00:00.000Z"
_ORDER = Order("001", "Banana", 1, "2025-04-25")

ORDER_IDS = [random_order_id(bytes([number] * 12)) for number in range(10)]
MESSAGES = [write_message(SubmittedOrder(order_id, _ORDER, _TIME, f"request-{order_id}")) for order_id in ORDER_IDS]
ITEMS = [
    {
        name: {"N" if name == "quantity" else "S": str(value)}
        for name, value in ProcessedOrder(order_id, _ORDER, _TIME, _TIME).to_document().items()
    }
    for order_id in ORDER_IDS
]

# What API Gateway hands over for an order sent by curl, less what no handler looks at.
_HTTP: dict[str, Any] = {
    "version": "2.0",
    "headers": {
        "accept": "*/*",
        "content-length": "91",
        "content-type": "application/json",
        "host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
        "user-agent": "curl/8.14.1",
        "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    },
    "requestContext": {"requestId": "JKJaXmPLvHcESHA="},
    "isBase64Encoded": False,
}
REQUEST = _HTTP | {
    "body": '{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
}
REQUEST_WITHOUT_ORDER = _HTTP | {"body": "{}"}
BATCH: dict[str, Any] = {
    "Records": [
        {"messageId": f"message-{number}", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        for number, body in enumerate(MESSAGES)
    ]
}
STREAM_BATCH: dict[str, Any] = {
    "Records": [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
        for number, item in enumerate(ITEMS)
    ]
}


def status_request(order_id: str) -> dict[str, Any]:
    """Return GET /orders/{order_id}."""
    return _HTTP | {"pathParameters": {"order_id": order_id}}
