"""Requests and responses of the HTTP API (API Gateway, payload format 2.0)."""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orders.domain.errors import DocumentUnreadableError, Violation

_TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

# A Content-Type is a type and a subtype, then parameters whose values are tokens or quoted strings (RFC 9110, section
# 8.3.1). _WORD is a token.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_WORD})=({_WORD}|{_QUOTED}))?")


def request_id(event: Mapping[str, Any]) -> str:
    """Return API Gateway's id of the request, which is in its access log."""
    return str(event["requestContext"]["requestId"])


def headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the request's headers under lower-case names."""
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def customer_id(event: Mapping[str, Any]) -> str | None:
    """Return the customer that the request's token names, or "" if it names none; None if no token is required."""
    claim_name = os.environ.get("JWT_CUSTOMER_CLAIM")
    if claim_name is None:
        return None
    try:
        claim = event["requestContext"]["authorizer"]["jwt"]["claims"][claim_name]
    except (KeyError, TypeError):
        return ""
    return claim if isinstance(claim, str) else ""


def body(event: Mapping[str, Any]) -> bytes:
    """Return the request's body as the client sent it, empty if there is none.

    Raises DocumentUnreadableError if the event declares base64 and the body is not valid base64.
    """
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # The event's JSON can contain a lone surrogate; with "surrogatepass", read_json_document rejects it.
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # includes binascii.Error
        raise DocumentUnreadableError("INVALID_ENCODING", "The body is not valid base64.") from error


def is_json_in_utf8(content_type: str) -> bool:
    """Return whether a Content-Type is application/json without a charset other than UTF-8.

    Case and other parameters are ignored. If charset occurs twice, both must be UTF-8.
    """
    text = content_type.strip(" \t")
    media_type = _TYPE.match(text)
    if media_type is None or media_type.group().lower() != "application/json":
        return False
    position = media_type.end()
    while position < len(text):
        parameter = _PARAMETER.match(text, position)
        if parameter is None or _names_another_charset(*parameter.groups()):
            return False
        position = parameter.end()
    return True


def _names_another_charset(name: str | None, value: str | None) -> bool:
    # charset* would be an extended parameter (RFC 8187), which Content-Type does not allow: it is rejected.
    if name is None or value is None or name.partition("*")[0].lower() != "charset":
        return False
    return re.sub(r"\\(.)", r"\1", value.strip('"')).lower() != "utf-8"


def response(
    status: int, document: Mapping[str, Any], content_type: str = "application/json", **headers: str
) -> dict[str, Any]:
    """Return a response with `document` as JSON and the given headers; caches must not store it."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type, "Cache-Control": "no-store", **headers},
        "body": json.dumps(document),
    }


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    errors: Sequence[Violation] = (),
    retry_after_seconds: int | None = None,
) -> dict[str, Any]:
    """Return a response with problem details (RFC 9457); `code` is for programs."""
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
    return response(status, document, "application/problem+json", **extra)


def internal_error(request_id: str) -> dict[str, Any]:
    """Return the response to a request that caused an unexpected error."""
    return problem(
        500,
        "INTERNAL_ERROR",
        "Something went wrong on our side. Please try again, and quote the request_id if it persists.",
        request_id=request_id,
    )
