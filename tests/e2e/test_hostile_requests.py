"""Each hostile request gets the expected response, is stored only if accepted, and is never echoed or logged.

The requests are raw bytes. They test the path from the network through the gateway to the handlers; lower tests hold
the rules of documents, headers and orders. Each request contains MARKER, so that tests detect when it is echoed. One
deployment is enough, because both run the same code and have the same gateway (test_parity.py).
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from orders.domain.json_document import MAX_DEPTH
from orders.domain.order import Order
from orders.domain.order_id import random_order_id
from support.deployment.api import Response
from support.deployment.stack import DeployedStack
from support.waiting import wait_for

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


@dataclass(frozen=True)
class HostileRequest:
    """One request, as bytes, and the expected response."""

    name: str
    result: int | str
    """The code of a problem; the status if the order is accepted or found, or if API Gateway itself responds."""
    body: bytes = field(default=b"", repr=False)
    headers: Headers = field(default=JSON, repr=False)
    method: bytes = b"POST"
    target: bytes = b"/orders"
    stored: Order | None = None
    """The order that is stored, if it is accepted."""


def accepted(
    name: str, body: bytes | None = None, headers: Headers = JSON, target: bytes = b"/orders", **stored: Any
) -> HostileRequest:
    """Return a POST that is accepted; the stored order is ORDER with the fields `stored` replaced."""
    order_body = order() if body is None else body
    return HostileRequest(name, 202, order_body, headers, target=target, stored=Order(**{**ORDER, **stored}))


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
            "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + order(),
            "an escaped surrogate": with_literal("product_id", rb'"\ud800"'),
            "a raw NUL in a string": with_literal("product_id", b'"a\0b"'),
            "a quantity of 4301 digits": with_literal("quantity", b"9" * 4301),
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
        yield from (HostileRequest(name, code, body) for name, body in named.items())
    yield HostileRequest("invalid UTF-8 as text", "UNSUPPORTED_MEDIA_TYPE", b'"\xff"', content_type(b"text/plain"))
    yield accepted("all kinds of whitespace", b" \r\n\t" + order().replace(b" ", b"\n\t ") + b"\r\n")
    yield accepted("16 KiB", order().ljust(MAX_BODY_BYTES))


def orders() -> Iterable[HostileRequest]:
    for name, value in {"product_id": f"<script>{MARKER}</script>", "": MARKER, "__proto__": MARKER}.items():
        yield HostileRequest(f"an invalid {name!r}", "VALIDATION_FAILED", order(**{name: value}))
    yield HostileRequest("a list instead of an order", "VALIDATION_FAILED", b"[" + order() + b"]")
    unknown = order(**{f"{number:x}": 0 for number in range(1600)})
    yield HostileRequest("1600 unknown keys", "VALIDATION_FAILED", unknown)
    yield accepted("the longest order", order(**LONGEST), **LONGEST)


def headers() -> Iterable[HostileRequest]:
    for key in (b"", b"a b", b"k" * 256, b"l" * 8000, "clé".encode(), b"cl\xe9", b"a\x7fb"):
        yield HostileRequest(f"the key {key[:20]!r}", "IDEMPOTENCY_KEY_INVALID", order(), keyed(key))
    for key in (b"!", b"~" * 255, b"a,b", b"\"';<>{}\\%00", b"  around\t"):
        yield accepted(f"the valid key {key[:20]!r}", headers=keyed(key))
    # API Gateway joins two values with a comma. The emulator adds a space, which makes the key invalid.
    yield HostileRequest("two keys", "IDEMPOTENCY_KEY_INVALID", order(), (*keyed(b"a"), (b"idempotency-key", b"b")))
    yield HostileRequest("an invalid order with an invalid key", "VALIDATION_FAILED", order(quantity=0), keyed(b"a b"))
    for name, sent in {
        "no content type": (),
        "an empty content type": content_type(b""),
        "a content type that is not ASCII": content_type(b"application/json\xa0"),
        "two content types": (*JSON, *content_type(b"a/b")),
        "content encoding gzip": (*JSON, (b"Content-Encoding", b"gzip")),
        "an empty content encoding": (*JSON, (b"Content-Encoding", b"")),
    }.items():
        yield HostileRequest(name, "UNSUPPORTED_MEDIA_TYPE", order(), sent)
    for value in (b"Application/JSON", b'application/json ;;charset="Utf-8"; x="a;charset=b"'):
        yield accepted(f"content type {value!r}", headers=content_type(value))
    for name, value in {
        "Cookie": b"order=" + MARKER.encode(),
        "User-Agent": b"\xff" + MARKER.encode(),
        "X-Amzn-Trace-Id": b"Root=" + MARKER.encode(),
        "X-HTTP-Method-Override": b"DELETE",
    }.items():
        yield accepted(f"header {name}", headers=(*JSON, (name.encode(), value)))


def targets() -> Iterable[HostileRequest]:
    order_id = random_order_id(os.urandom(12))
    pending = order_id.encode()
    for target in (b"/orders//", b"/ORDERS", b"/orders/" + MARKER.encode() + b"/items"):
        yield HostileRequest(f"POST {target.decode().replace(MARKER, 'MARKER')}", 404, order(), target=target)
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
            yield HostileRequest(f"GET {name}", result, method=b"GET", target=b"/orders/" + text, headers=())
    yield HostileRequest("GET an ID with a body", 200, order(), method=b"GET", target=b"/orders/" + pending, headers=())


HOSTILE_REQUESTS = [*documents(), *orders(), *headers(), *targets()]


@pytest.fixture(scope="module")
def responses(stack: DeployedStack) -> Mapping[str, Response]:
    """The response to each request, by the request's name. All accepted orders are announced by then."""

    def send(each: HostileRequest) -> Response:
        more = ((b"X-Marker", MARKER.encode()), (b"Content-Length", str(len(each.body)).encode()))
        return stack.api.exchange(each.method, each.target, (*more, *each.headers), each.body)

    with ThreadPoolExecutor(max_workers=4) as clients:
        names = [each.name for each in HOSTILE_REQUESTS]
        responses = dict(zip(names, clients.map(send, HOSTILE_REQUESTS), strict=True))
    assert len(responses) == len(names), "two requests have the same name"
    accepted = {response.json()["order_id"] for response in responses.values() if response.status == 202}

    def all_announced() -> bool:
        return accepted <= {event["order_id"] for event in stack.events("notification", "order_notified")}

    wait_for("the announcement of each accepted order", all_announced, seconds=60)
    wait_for("an empty orders queue", lambda: stack.messages("orders") == 0, seconds=60)
    return responses


@pytest.mark.parametrize("hostile", HOSTILE_REQUESTS, ids=lambda request: request.name)
def test_hostile_request_gets_the_expected_response(responses: Mapping[str, Response], hostile: HostileRequest) -> None:
    response = responses[hostile.name]

    assert response.status == STATUS_OF.get(str(hostile.result), hostile.result)
    assert ("location" in response.headers) == (response.status == 202)
    assert MARKER.encode() not in response.body + "".join(response.headers.values()).encode(), (
        "the response must not echo the request"
    )
    if isinstance(hostile.result, str):
        problem = response.json()
        assert response.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["code"]) == (response.status, hostile.result)
        assert {"type", "title", "detail", "request_id"} < problem.keys()
    elif response.status == 200:
        assert response.json()["status"] == "PENDING"
    elif response.status >= 400:
        assert b'"code"' not in response.body, "the gateway must respond, not a function"


def test_only_accepted_orders_are_stored(stack: DeployedStack, responses: Mapping[str, Response]) -> None:
    expected = {
        responses[each.name].json()["order_id"]: asdict(each.stored) for each in HOSTILE_REQUESTS if each.stored
    }

    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["orders_table_name"])
    items = [{name: next(iter(value.values())) for name, value in item.items()} for p in pages for item in p["Items"]]
    stored = {
        item["order_id"]: {name: int(item[name]) if name == "quantity" else item[name] for name in ORDER}
        for item in items
        if MARKER in item.values()
    }
    assert stored == expected
    assert not [message for message in stack.dead_letters() if MARKER in message["Body"]]


@pytest.mark.parametrize("function", ["submission", "processing", "status", "notification"])
def test_function_logs_nothing_of_a_hostile_request(
    stack: DeployedStack, responses: Mapping[str, Response], function: str
) -> None:
    log = stack.log_of(function)
    assert log
    assert MARKER not in log
