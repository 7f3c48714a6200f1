"""Malformed and malicious raw requests, valid requests at the limits, and the expected response to each.

They test the path from the network through the gateway to the handlers; unit tests hold the rules of documents and
orders. Each request contains MARKER, so that tests detect when it is echoed.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders.domain.json_document import MAX_DEPTH
from orders.domain.order import Order
from orders.domain.order_id import random_order_id
from support.deployment.api import DeployedApi, Response

MARKER = f"marker{secrets.token_hex(8)}"
"""A valid customer ID and product ID that no other test uses."""

ORDER: Mapping[str, Any] = {"customer_id": MARKER, "product_id": MARKER, "quantity": 1, "order_date": "2025-04-25"}
LONGEST: Mapping[str, Any] = {"product_id": "p" * 128, "quantity": 9999, "order_date": "9999-12-31"}
MAX_BODY_BYTES = 16 * 1024

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Headers = ((b"Content-Type", b"application/json"),)

STATUS_OF = {
    **dict.fromkeys(("BODY_MISSING", "INVALID_JSON", "INVALID_ENCODING", "DUPLICATE_KEY", "NESTING_TOO_DEEP"), 400),
    "IDEMPOTENCY_KEY_INVALID": 400,
    "ORDER_NOT_FOUND": 404,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_FAILED": 422,
}


@dataclass(frozen=True, kw_only=True)
class HostileRequest:
    """One request, as bytes, and the expected response."""

    name: str
    status: int
    code: str | None = None
    """The problem's code; None if the order is accepted or found, or if API Gateway itself responds."""
    pointer: str | None = None
    """The only pointer of a 422, where the test checks it."""
    stored: Order | None = None
    """The order that is stored, if it is accepted."""
    method: bytes = b"POST"
    target: bytes = b"/orders"
    headers: Headers = field(repr=False)
    rest: bytes = field(default=b"", repr=False)
    """The bytes after the headers."""

    def send(self, api: DeployedApi) -> Response:
        return api.exchange(self.method, self.target, ((b"X-Marker", MARKER.encode()), *self.headers), self.rest)


def request(name: str, result: int | str, body: bytes = b"", headers: Headers = JSON, **more: Any) -> HostileRequest:
    """Return a request with its length; `result` is the code of a problem, or the status of another response."""
    status, code = (STATUS_OF[result], result) if isinstance(result, str) else (result, None)
    return HostileRequest(name=name, status=status, code=code, headers=(*headers, *length_of(body)), rest=body, **more)


def accepted(
    name: str, body: bytes | None = None, headers: Headers = JSON, target: bytes = b"/orders", **stored: Any
) -> HostileRequest:
    """Return a POST that is accepted; the stored order is ORDER with the fields `stored` replaced."""
    body = order() if body is None else body
    return request(name, 202, body, headers, target=target, stored=Order(**{**ORDER, **stored}))


def length_of(body: bytes) -> Headers:
    return ((b"Content-Length", str(len(body)).encode()),)


def order(**changes: Any) -> bytes:
    """Return ORDER with these changes, as JSON."""
    return json.dumps({**ORDER, **changes}).encode()


def with_literal(name: str, literal: bytes) -> bytes:
    """Return ORDER as JSON with field `name` written as `literal`."""
    return order(**{name: "LITERAL"}).replace(b'"LITERAL"', literal)


def plus(member: bytes) -> bytes:
    """Return ORDER as JSON with one more member."""
    return order()[:-1] + b", " + member + b"}"


def content_type(value: bytes) -> Headers:
    return ((b"Content-Type", value),)


def keyed(key: bytes) -> Headers:
    return (*JSON, (b"Idempotency-Key", key))


def documents() -> Iterable[HostileRequest]:
    bodies = {
        "BODY_MISSING": {"an empty body": b""},
        "INVALID_ENCODING": {
            "UTF-16 with a byte order mark": order().decode().encode("utf-16"),
            "an invalid byte after the document": order() + b"\xff",
            "16 KiB of invalid bytes": b"\xff" * MAX_BODY_BYTES,
            # The emulator's gateway replaces each byte with three, so the body exceeds 16 KiB; the client sent less.
            "6000 invalid bytes in a string": with_literal("product_id", b'"%b"' % (b"\xff" * 6000)),
            "a surrogate in a string": with_literal("product_id", b'"\xed\xa0\x80"'),
            "U+FFFD in a string": with_literal("product_id", '"\N{REPLACEMENT CHARACTER}"'.encode()),
        },
        "INVALID_JSON": {
            "UTF-16 without a byte order mark": order().decode().encode("utf-16-be"),
            "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + order(),
            "an escaped surrogate": with_literal("product_id", rb'"\ud800"'),
            "a raw NUL in a string": with_literal("product_id", b'"a\0b"'),
            "a form": b"customer_id=" + MARKER.encode() + b"&quantity=1",
            "16 KiB of spaces": b" " * MAX_BODY_BYTES,
            "a quantity of 4301 digits": with_literal("quantity", b"9" * 4301),
            "a quantity of NaN": with_literal("quantity", b"NaN"),
        },
        "DUPLICATE_KEY": {"a duplicate key": plus(b'"quantity": 2')},
        "NESTING_TOO_DEEP": {
            "8000 lists that never close": b"[" * 8000,
            "an order with 64 lists": plus(b'"x": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
        },
        "PAYLOAD_TOO_LARGE": {
            "16 KiB and a byte": order().ljust(MAX_BODY_BYTES + 1),
            "1 MiB": order().ljust(1024 * 1024),
            "16 KiB and an invalid byte": b"\xff" * (MAX_BODY_BYTES + 1),
            "6000 times U+FFFD": "\N{REPLACEMENT CHARACTER}".encode() * 6000,
            "16 KiB and a byte in half as many characters": "é".encode() * (MAX_BODY_BYTES // 2) + b"x",
        },
    }
    for code, named in bodies.items():
        yield from (request(name, code, body) for name, body in named.items())
    yield HostileRequest(name="no body and no length", status=400, code="BODY_MISSING", headers=JSON)
    yield request("invalid UTF-8 as text", "UNSUPPORTED_MEDIA_TYPE", b'"\xff"', content_type(b"text/plain"))
    yield accepted("letters as escapes", with_literal("product_id", rb'"\u0042anana"'), product_id="Banana")
    yield accepted("all kinds of whitespace", b" \r\n\t" + order().replace(b" ", b"\n\t ") + b"\r\n")
    yield accepted("16 KiB", order().ljust(MAX_BODY_BYTES))


def orders() -> Iterable[HostileRequest]:
    for name, value, pointer in (
        ("quantity", 0, "/quantity"),
        ("order_date", "2026-02-30", "/order_date"),
        ("customer_id", "../../etc/passwd", "/customer_id"),
        ("product_id", f"<script>{MARKER}</script>", "/product_id"),
        ("", MARKER, "/"),
        ("__proto__", MARKER, "/__proto__"),
        ("a/b~c", MARKER, "/a~1b~0c"),
    ):
        yield request(f"an invalid {pointer}", "VALIDATION_FAILED", order(**{name: value}), pointer=pointer)
    yield request("a list instead of an order", "VALIDATION_FAILED", b"[" + order() + b"]", pointer="")
    yield request("1600 unknown keys", "VALIDATION_FAILED", order(**{f"{number:x}": 0 for number in range(1600)}))
    yield accepted("the longest order", order(**LONGEST), **LONGEST)
    yield accepted('quantity "9999"', order(quantity="9999"), quantity=9999)


def headers() -> Iterable[HostileRequest]:
    for key in (b"", b"a b", b"k" * 256, b"l" * 8000, "clé".encode(), b"cl\xe9", b"a\x7fb"):
        yield request(f"the key {key[:20]!r}", "IDEMPOTENCY_KEY_INVALID", order(), keyed(key))
    for key in (b"!", b"~" * 255, b"a,b", b"\"';<>{}\\%00", b"  around\t"):
        yield accepted(f"the valid key {key[:20]!r}", headers=keyed(key))
    # API Gateway joins two values with a comma. The emulator adds a space, which makes the key invalid.
    yield request("two keys", "IDEMPOTENCY_KEY_INVALID", order(), (*keyed(b"a"), (b"idempotency-key", b"b")))
    yield request("an invalid order with an invalid key", "VALIDATION_FAILED", order(quantity=0), keyed(b"a b"))
    for name, sent in {
        "no content type": (),
        "an empty content type": content_type(b""),
        "the content type of a form": content_type(b"application/x-www-form-urlencoded"),
        "another charset": content_type(b"application/json; charset=utf-16"),
        "a content type that is not ASCII": content_type(b"application/json\xa0"),
        "two content types": (*JSON, *content_type(b"a/b")),
        "content encoding gzip": (*JSON, (b"Content-Encoding", b"gzip")),
        "an empty content encoding": (*JSON, (b"Content-Encoding", b"")),
    }.items():
        yield request(name, "UNSUPPORTED_MEDIA_TYPE", order(), sent)
    for value in (b"Application/JSON", b'application/json ;;charset="Utf-8"; x="a;charset=b"'):
        yield accepted(f"content type {value!r}", headers=content_type(value))
    for name, value in {
        "Cookie": b"order=" + MARKER.encode(),
        "User-Agent": b"\xff" + MARKER.encode(),
        "X-Amzn-Trace-Id": b"Root=" + MARKER.encode(),
        "X-HTTP-Method-Override": b"DELETE",
    }.items():
        yield accepted(f"header {name}", headers=(*JSON, (name.encode(), value)))


def framing() -> Iterable[HostileRequest]:
    chunked: Headers = (*JSON, (b"Transfer-Encoding", b"chunked"))

    def chunks(body: bytes, size: int, extension: bytes = b"") -> bytes:
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n"

    trailer = chunks(order(), len(order()), b";name=value") + b"Idempotency-Key: a b\r\n\r\n"
    for name, rest in {
        "chunks of one byte": chunks(order(), 1) + b"\r\n",
        "a chunk with an extension and a trailer": trailer,
    }.items():
        yield HostileRequest(name=name, status=202, stored=Order(**ORDER), headers=chunked, rest=rest)
    for name, code, body in (
        ("chunks of 16 KiB and a byte", "PAYLOAD_TOO_LARGE", order().ljust(MAX_BODY_BYTES + 1)),
        ("no chunk", "BODY_MISSING", b""),
    ):
        rest = chunks(body, 1000) + b"\r\n"
        yield HostileRequest(name=name, status=STATUS_OF[code], code=code, headers=chunked, rest=rest)
    yield accepted("Expect: 100-continue", headers=(*JSON, (b"Expect", b"100-continue")))


def targets() -> Iterable[HostileRequest]:
    order_id = random_order_id(os.urandom(12))
    pending = order_id.encode()
    # An HTTP API returns 404, not 405, for a method without a route.
    for method in (b"PUT", b"HEAD", b"GET", b"TRACE"):
        yield request(f"{method.decode()} /orders", 404, method=method)
    for method in (b"POST", b"PATCH", b"DELETE"):
        yield request(f"{method.decode()} /orders/ID", 404, method=method, target=b"/orders/" + pending)
    for target in (
        *(b"/", b"/orders//", b"/ORDERS", b"/orders%00", b"/orders;x=1", b"/%2e%2e/orders", b"/dev/orders"),
        b"/orders/" + MARKER.encode() + b"/items",
    ):
        yield request(f"POST {target.decode().replace(MARKER, 'MARKER')}", 404, order(), target=target)
    yield accepted("POST with a query", target=b"/orders?quantity=2&%ff=" + MARKER.encode())
    gets: dict[int | str, dict[str, bytes]] = {
        200: {
            "a pending ID": pending,
            "an ID in capitals": pending.upper(),
            "an ID with a query": pending + b"?order_id=" + MARKER.encode(),
            "an ID as percent escapes": b"".join(b"%%%02x" % byte for byte in pending),
        },
        "ORDER_NOT_FOUND": {
            "a wrong checksum": pending[:-1] + (b"0" if order_id[-1] != "0" else b"1"),
            "a trailing line feed": pending + b"%0A",
            "a NUL": b"%00",
            "invalid UTF-8": b"%FF" + pending[1:],
            "a dot segment": b"%2e%2e",
            "markup": b"%3Cscript%3E" + MARKER.encode(),
            "4000 digits": b"0" * 4000,
        },
        404: {"an empty ID": b"", "a segment after the ID": pending + b"/" + MARKER.encode()},
    }
    for result, texts in gets.items():
        for name, text in texts.items():
            yield request(f"GET {name}", result, method=b"GET", target=b"/orders/" + text, headers=())
    yield request("GET an ID with a body", 200, order(), method=b"GET", target=b"/orders/" + pending, headers=())


HOSTILE_REQUESTS = [*documents(), *orders(), *headers(), *framing(), *targets()]
