"""Requests and answers of the HTTP API (API Gateway, payload format 2.0)."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from orders.domain.errors import DocumentUnreadableError, Violation

_TITLES = {
    400: "Bad Request",
    404: "Not Found",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def request_id(event: Mapping[str, Any]) -> str:
    """Return API Gateway's id of the request, the one in its access log."""
    return str(event["requestContext"]["requestId"])


def headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the request's headers under lower-case names."""
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def body(event: Mapping[str, Any]) -> bytes:
    """Return the request's body as the client sent it, empty where it sent none.

    Raises DocumentUnreadableError where API Gateway says base64 and it is not.
    """
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # A gateway's JSON can spell a lone surrogate, which no client's UTF-8 could: keep it, as
        # bytes that the strict reader then refuses.
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise DocumentUnreadableError("INVALID_ENCODING", "The body is not valid base64.") from error


def answer(status: int, document: Mapping[str, Any], extra_headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return an answer that carries `document` as JSON; no cache may keep it."""
    return _answer(status, "application/json", document, extra_headers or {})


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    errors: Sequence[Violation] = (),
    retry_after_seconds: int | None = None,
) -> dict[str, Any]:
    """Return an answer that carries problem details (RFC 9457), with `code` for machines."""
    document: dict[str, Any] = {
        "type": f"urn:problem:order-processing:{code.lower().replace('_', '-')}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    extra = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return _answer(status, "application/problem+json", document, extra)


def internal_error(request_id: str) -> dict[str, Any]:
    """Return the answer to a request that met an error nobody foresaw."""
    return problem(
        500,
        "INTERNAL_ERROR",
        "Something went wrong on our side. Please try again, and quote the request_id if it persists.",
        request_id=request_id,
    )


def _answer(
    status: int, content_type: str, document: Mapping[str, Any], extra_headers: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type, "Cache-Control": "no-store", **extra_headers},
        "body": json.dumps(document),
    }
