"""Order submission: POST /orders puts an order on the queue and returns its id."""

import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.event_log import log_event, log_failure
from orders.adapters.messaging import SqsOrderQueue
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import (
    CustomerMismatchError,
    DocumentUnreadableError,
    IdempotencyKeyInvalidError,
    OrderInvalidError,
    QueueUnavailableError,
)
from orders.handlers import http
from orders.use_cases.submit_order import submit_order

MAX_BODY_BYTES = 16 * 1024

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_LENGTH = re.compile("[0-9]{1,9}")

_queue = SqsOrderQueue(make_client("sqs"), os.environ["ORDERS_QUEUE_URL"])
cold_start.freeze_heap()


class HttpError(Exception):
    """The request is rejected with problem details; no order was queued."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.more = more


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Return the response to POST /orders: 202 once SQS has accepted the order, otherwise problem details.

    `event` has API Gateway's payload format 2.0.
    """
    request_id = http.request_id(event)
    try:
        return _accept(event, request_id)
    except HttpError as error:
        log_event("order_refused", logging.WARNING, request_id=request_id, code=error.code)
        return http.problem(error.status, error.code, error.detail, request_id=request_id, **error.more)
    except QueueUnavailableError as error:
        log_failure("order_refused", error, request_id=request_id, code="QUEUE_UNAVAILABLE")
        return http.problem(
            503,
            "QUEUE_UNAVAILABLE",
            "The queue did not confirm the order, which may have been accepted. Please try again; "
            "with the same Idempotency-Key it is stored once.",
            request_id=request_id,
            retry_after_seconds=1,
        )
    except Exception as error:
        log_failure("request_failed", error, request_id=request_id, code="INTERNAL_ERROR")
        return http.internal_error(request_id)


def _accept(event: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    headers = http.headers(event)
    try:
        submitted = submit_order(
            _body(event, headers),
            customer_id=http.customer_id(event),
            idempotency_key=headers.get("idempotency-key"),
            request_id=request_id,
            now=datetime.now(UTC),
            random_bytes=os.urandom,
            rules=ORDER_RULES,
            queue=_queue,
        )
    except DocumentUnreadableError as error:
        raise HttpError(400, error.code, error.detail) from error
    except IdempotencyKeyInvalidError as error:
        raise HttpError(
            400, "IDEMPOTENCY_KEY_INVALID", "The Idempotency-Key is not 1 to 255 visible ASCII characters."
        ) from error
    except CustomerMismatchError as error:
        raise HttpError(403, "CUSTOMER_MISMATCH", "The customer_id is not the customer of the token.") from error
    except OrderInvalidError as error:
        raise HttpError(422, "VALIDATION_FAILED", _detail(error), errors=error.violations) from error
    log_event("order_accepted", request_id=request_id, order_id=submitted.order_id)
    document = {"order_id": submitted.order_id, "status": "ACCEPTED"}
    return http.response(202, document, Location=f"/orders/{submitted.order_id}")


def _detail(error: OrderInvalidError) -> str:
    listed = len(error.violations)
    more = "" if listed == error.total else f" It has {error.total} errors; {listed} of them are listed."
    return f"The body is not a valid order.{more}"


def _body(event: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    body = http.body(event)
    if not body:
        raise HttpError(400, "BODY_MISSING", "The request has no body; send an order as JSON.")
    if "content-encoding" in headers:
        raise HttpError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding.")
    if not http.is_json_in_utf8(headers.get("content-type", "")):
        raise HttpError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as Content-Type: application/json, in UTF-8.")
    if len(body) > MAX_BODY_BYTES and _bytes_sent(event, headers, body) > MAX_BODY_BYTES:
        raise HttpError(413, "PAYLOAD_TOO_LARGE", f"The body is over {MAX_BODY_BYTES} bytes.")
    return body


def _bytes_sent(event: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> int:
    """Return the length of the body as the client sent it, or a lower bound of it."""
    if event.get("isBase64Encoded"):
        return len(body)
    # A gateway may replace one invalid byte with the three bytes of U+FFFD, which read_json_document rejects.
    minimum = len(body) - 2 * body.count(_REPLACEMENT)
    declared = headers.get("content-length", "")
    return max(minimum, int(declared)) if _LENGTH.fullmatch(declared) else minimum
