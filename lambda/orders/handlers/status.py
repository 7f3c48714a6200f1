"""Order status: GET /orders/{order_id} returns the state of an order."""

import os
from collections.abc import Mapping
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.adapters.event_log import log_event, log_failure
from orders.domain.errors import StoreUnavailableError
from orders.domain.order_id import parse_order_id
from orders.handlers import http

_store = DynamoDbOrderTable(make_client("dynamodb"), os.environ["ORDERS_TABLE_NAME"])
cold_start.freeze_heap()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Return the response to GET /orders/{order_id}: the processed order, the status PENDING, or problem details.

    `event` has API Gateway's payload format 2.0. An id that this system never issued needs no table read. The response
    for another customer's order is the same as for an order that does not exist.
    """
    request_id = http.request_id(event)
    try:
        order_id = parse_order_id(event["pathParameters"]["order_id"])
        order = order_id and _store.find(order_id)
    except StoreUnavailableError as error:
        log_failure("request_failed", error, request_id=request_id, code="STORE_UNAVAILABLE")
        return http.problem(
            503,
            "STORE_UNAVAILABLE",
            "The order could not be read. Please try again.",
            request_id=request_id,
            retry_after_seconds=1,
        )
    except Exception as error:
        log_failure("request_failed", error, request_id=request_id, code="INTERNAL_ERROR")
        return http.internal_error(request_id)
    customer_id = http.customer_id(event)
    if not order_id or (order and customer_id not in (None, order.order.customer_id)):
        log_event("order_not_found", request_id=request_id)
        return http.problem(404, "ORDER_NOT_FOUND", "No order has this id; check it for typos.", request_id=request_id)
    if not order:
        log_event("order_pending", request_id=request_id, order_id=order_id)
        return http.response(200, {"order_id": order_id, "status": "PENDING"}, **{"Retry-After": "1"})
    log_event("order_found", request_id=request_id, order_id=order_id)
    return http.response(200, {**order.to_document(), "status": "PROCESSED"})
