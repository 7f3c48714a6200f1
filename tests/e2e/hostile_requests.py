"""Malformed and malicious raw requests, valid requests at the limits, and the expected response to each.

Property-based unit tests cover the rules of documents and orders. This table covers the path from the network through
the gateway to the handlers. Each request contains MARKER, so that tests detect when it is echoed.
"""

import json
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from orders.domain.json_document import MAX_DEPTH
from orders.domain.order import Order
from orders.domain.order_id import random_order_id

MARKER = f"marker{secrets.token_hex(8)}"
"""A valid customer ID and product ID that no other test uses."""

ORDER: Mapping[str, Any] = {"customer_id": MARKER, "product_id": MARKER, "quantity": 1, "order_date": "2025-04-25"}
MAX_BODY_BYTES = 16 * 1024

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Headers = ((b"Content-Type", b"application/json"),)
MARKED: Headers = ((b"X-Marker", MARKER.encode()),)
"""Marks a request whose body cannot contain MARKER."""

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
    status: int
    code: str | None = None
    """The problem's code; None if the order is accepted or found, or if API Gateway itself responds."""
    pointer: str | None = None
    """The only pointer of a 422, where the test checks it."""
    stored: Order | None = None
    """The order that is stored, if it is accepted."""
    method: bytes = b"POST"
    target: bytes = b"/orders"
    headers: Headers = field(default=(), repr=False)
    rest: bytes = field(default=b"", repr=False)
    """The bytes after the headers."""


def length_of(body: bytes) -> Headers:
    return ((b"Content-Length", str(len(body)).encode()),)


def rejected(name: str, code: str, body: bytes, headers: Headers = JSON, pointer: str | None = None) -> HostileRequest:
    """Return a POST /orders that the function rejects."""
    headers = (*MARKED, *headers, *length_of(body))
    return HostileRequest(name, STATUS_OF[code], code, pointer, headers=headers, rest=body)


def accepted(name: str, body: bytes | None = None, headers: Headers = JSON, **stored: Any) -> HostileRequest:
    """Return a POST /orders that is accepted; the stored order is ORDER with the fields `stored` replaced."""
    body = order() if body is None else body
    return HostileRequest(
        name, 202, stored=Order(**{**ORDER, **stored}), headers=(*headers, *length_of(body)), rest=body
    )


def by_gateway(
    name: str,
    status: int,
    method: bytes = b"POST",
    target: bytes = b"/orders",
    headers: Headers = JSON,
    rest: bytes | None = None,
) -> HostileRequest:
    """Return a request that API Gateway or its HTTP parser rejects before it calls a function."""
    body = order() if rest is None and method == b"POST" else rest or b""
    headers = (*MARKED, *headers, *(() if rest is not None else length_of(body)))
    return HostileRequest(name, status, method=method, target=target, headers=headers, rest=body)


def order(**changes: Any) -> bytes:
    """Return ORDER with these changes, as JSON."""
    return json.dumps({**ORDER, **changes}).encode()


def with_literal(name: str, literal: bytes | str) -> bytes:
    """Return ORDER as JSON with field `name` written as `literal`."""
    literals = {key: json.dumps(value).encode() for key, value in ORDER.items()}
    literals[name] = literal if isinstance(literal, bytes) else literal.encode()
    return b"{" + b", ".join(b'"%b": %b' % (key.encode(), value) for key, value in literals.items()) + b"}"


def plus(member: bytes | str) -> bytes:
    """Return ORDER as JSON with one more member."""
    return order()[:-1] + b", " + (member if isinstance(member, bytes) else member.encode()) + b"}"


def content_type(value: bytes) -> Headers:
    return ((b"Content-Type", value),)


def keyed(key: bytes) -> Headers:
    return (*JSON, (b"Idempotency-Key", key))


def documents() -> Iterable[HostileRequest]:
    text = order().decode()
    raw = {
        "0xff": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "a surrogate": b"\xed\xa0\x80",
        "a code point beyond the last": b"\xf4\x90\x80\x80",
        "a truncated sequence": b"\xe2\x82",
        "Latin-1": b"caf\xe9",
        "U+FFFD": "\N{REPLACEMENT CHARACTER}".encode(),
        # The emulator's gateway replaces each byte with three and thus exceeds 16 KiB; the client sent less.
        "6000 invalid bytes": b"\xff" * 6000,
    }
    not_utf8 = {
        "UTF-16 with a byte order mark": text.encode("utf-16"),
        "UTF-32 with a byte order mark": text.encode("utf-32"),
        "an invalid byte after the document": order() + b"\xff",
        "16 KiB of invalid bytes": b"\xff" * MAX_BODY_BYTES,
        **{f"{name} in a string": with_literal("product_id", b'"%b"' % value) for name, value in raw.items()},
    }
    not_json = {
        "UTF-16 without a byte order mark": text.encode("utf-16-be"),
        "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + order(),
        "an escaped high surrogate": with_literal("product_id", r'"\ud800"'),
        "an escaped pair in reverse": with_literal("product_id", r'"\ude00\ud83d"'),
        "an escaped surrogate in a key": plus(r'"\ud800": 1'),
        "a raw line feed in a string": with_literal("product_id", '"a\nb"'),
        "a raw NUL in a string": with_literal("product_id", '"a\0b"'),
        "two documents": order() + order(),
        "trailing garbage": order() + b"x",
        "a leading no-break space": "\N{NO-BREAK SPACE}".encode() + order(),
        "a comment": order().replace(b", ", b", /* comment */", 1),
        "a trailing comma": order()[:-1] + b",}",
        "a form": b"customer_id=" + MARKER.encode() + b"&quantity=1",
        "XML": b"<order><customer_id>" + MARKER.encode() + b"</customer_id></order>",
        "a space": b" ",
        "16 KiB of spaces": b" " * MAX_BODY_BYTES,
        "64 lists that never close": b"[" * MAX_DEPTH,
        "a quantity of 4301 digits": with_literal("quantity", "9" * 4301),
        **{
            f"quantity {literal}": with_literal("quantity", literal)
            for literal in ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1_000", "１", "None")
        },
    }
    duplicate = {
        "with another value": plus('"quantity": 2'),
        "with the same value": plus('"quantity": 1'),
        "written with an escape": plus(r'"\u0071uantity": 2'),
        "that is unknown": plus('"x": 1, "x": 2'),
        "in an inner object": plus('"x": [{"y": 1, "y": 2}]'),
    }
    too_deep = {
        "65 lists": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        "65 objects": b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        "8000 lists": b"[" * 8000 + b"]" * 8000,
        "8000 lists that never close": b"[" * 8000,
        "an order with 64 lists": plus(b'"x": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
    }
    padding = "é" * ((MAX_BODY_BYTES - len(plus('"x": ""'))) // 2)
    too_large = {
        "16 KiB and a byte": order().ljust(MAX_BODY_BYTES + 1),
        "1 MiB": order().ljust(1024 * 1024),
        "16 KiB and a byte of invalid JSON": MARKER.encode().ljust(MAX_BODY_BYTES + 1, b"{"),
        "16 KiB and an invalid byte": b"\xff" * (MAX_BODY_BYTES + 1),
        "6000 times U+FFFD": "\N{REPLACEMENT CHARACTER}".encode() * 6000,
        "16 KiB and a byte in half as many characters": plus(f'"x": "{padding}"').ljust(MAX_BODY_BYTES + 1),
    }
    for code, bodies in {
        "INVALID_ENCODING": not_utf8,
        "INVALID_JSON": not_json,
        "DUPLICATE_KEY": {f"a duplicate key {name}": body for name, body in duplicate.items()},
        "NESTING_TOO_DEEP": too_deep,
        "PAYLOAD_TOO_LARGE": too_large,
        "BODY_MISSING": {"an empty body": b""},
    }.items():
        yield from (rejected(name, code, body) for name, body in bodies.items())
    yield HostileRequest("no body and no length", 400, "BODY_MISSING", headers=(*MARKED, *JSON))
    yield rejected("invalid UTF-8 as text", "UNSUPPORTED_MEDIA_TYPE", b'"\xff"', content_type(b"text/plain"))
    yield accepted("letters as escapes", with_literal("product_id", r'"\u0042anana"'), product_id="Banana")
    yield accepted("all kinds of whitespace", b" \r\n\t" + order().replace(b" ", b"\n\t ") + b"\r\n")
    yield accepted("16 KiB", order().ljust(MAX_BODY_BYTES))


def orders() -> Iterable[HostileRequest]:
    invalid: dict[str, list[str]] = {
        "quantity": [
            *("1.0", "1e0", "-0", "0", "-1", "10000", "18446744073709551616", "1E400", "1e-400", "0.5", "9" * 4300),
            *('""', '"01"', '"+1"', '" 1"', '"1.0"', '"1e3"', '"10000"', '"0x1"', '"1_0"', '"１"', '"²"', r'"1\n"'),
        ],
        "order_date": [
            *('"2026-02-30"', '"2025-02-29"', '"1900-02-29"', '"0000-01-01"', '"2025-13-01"', '"2025-W17-5"'),
            *('"20250425"', '"2025-4-25"', '"12025-04-25"', '"2025-04-25T00:00:00Z"', r'"2025-04-25\n"', "20250425"),
            '"２０２５-04-25"',
        ],
        "customer_id": [
            *('""', '" "', f'"{"c" * 65}"', '"a b"', '".a"', '"__proto__"', '"../../etc/passwd"', r'"001\n"', "1"),
            *(r'"001\u0000"', '"00１"', '"а001"', '"a\u200db"', '"a\u202eb"', '"\N{BANANA}"', "\"1' OR '1'='1\""),
        ],
        "product_id": [
            *('""', f'"{"p" * 129}"', '" Banana"', '"Banana "', r'"Banana\n"', r'"Ban\tana"', '"Granny\u00a0Smith"'),
            *('"\u202eananaB"', '"<script>alert(1)</script>"', '"=1+1"', r'"\ud83c\udf4c"', r'"\ufffd"', "1"),
        ],
    }
    for name, literals in invalid.items():
        for literal in (*literals, "true", "null", "[]", "{}"):
            shown = f"{name} {literal[:30]!a}"
            yield rejected(shown, "VALIDATION_FAILED", with_literal(name, literal), pointer=f"/{name}")
        body = json.dumps({key: value for key, value in ORDER.items() if key != name}).encode()
        yield rejected(f"no {name}", "VALIDATION_FAILED", body, pointer=f"/{name}")
    for key in ("", "__proto__", "\0", "Quantity", "a/b~c"):
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        yield rejected(f"the unknown key {key!a}", "VALIDATION_FAILED", order(**{key: MARKER}), pointer=pointer)
    for name, body in {"null": b"null", "a number": b"-1.5e3", "a list": b"[" + order() + b"]"}.items():
        yield rejected(f"{name} instead of an order", "VALIDATION_FAILED", body, pointer="")
    yield rejected("1600 unknown keys", "VALIDATION_FAILED", plus(", ".join(f'"{n:x}": 0' for n in range(1600))))
    valid: dict[str, list[Any]] = {
        "quantity": [9999],
        "order_date": ["2024-02-29", "0001-01-01", "9999-12-31"],
        "customer_id": ["constructor", "Z._-9" + "c" * 59],
        "product_id": ["x", "-._", "Granny  Smith 2.0_b-c", "p" * 128, "__proto__"],
    }
    for name, values in valid.items():
        for value in values:
            yield accepted(f"valid {name} {value}"[:60], order(**{name: value}), **{name: value})
    yield accepted('quantity "9999"', order(quantity="9999"), quantity=9999)


def headers() -> Iterable[HostileRequest]:
    for key in (b"", b"a b", b"a\tb", b"k" * 256, b"l" * 8000, "clé".encode(), b"cl\xe9", b"a\x7fb"):
        yield rejected(f"the key {key[:20]!r}", "IDEMPOTENCY_KEY_INVALID", order(), keyed(key))
    for key in (b"!", b"~" * 255, b"a,b", b"\"';<>{}\\%00", b"  around\t"):
        yield accepted(f"the valid key {key[:20]!r}", headers=keyed(key))
    # API Gateway joins two values with a comma. The emulator adds a space, which makes the key invalid.
    yield rejected("two keys", "IDEMPOTENCY_KEY_INVALID", order(), (*keyed(b"a"), (b"idempotency-key", b"b")))
    yield rejected("an invalid order with an invalid key", "VALIDATION_FAILED", order(quantity=0), keyed(b"a b"))
    for value in (
        *(b"", b"json", b"text/plain", b"application/json5", b"application/problem+json", b"*/*"),
        *(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/json, text/plain"),
        *(b"application/json; charset=utf-16", b"application/json; charset=utf-8; charset=latin-1"),
        *(b"application/json; charset*=utf-16''x", b'application/json; charset="utf-8', b"application/json\xa0"),
    ):
        yield rejected(f"content type {value!r}", "UNSUPPORTED_MEDIA_TYPE", order(), content_type(value))
    yield rejected("no content type", "UNSUPPORTED_MEDIA_TYPE", order(), ())
    yield rejected("two content types", "UNSUPPORTED_MEDIA_TYPE", order(), (*JSON, *content_type(b"a/b")))
    for encoding in (b"gzip", b"identity", b""):
        coded = (*JSON, (b"Content-Encoding", encoding))
        yield rejected(f"content encoding {encoding!r}", "UNSUPPORTED_MEDIA_TYPE", order(), coded)
    for value in (b"Application/JSON", b"application/json ; ;; ", b'application/json;charset="Utf-8"; x="a;charset=b"'):
        yield accepted(f"content type {value!r}", headers=content_type(value))
    for name, value in {
        b"Cookie": b"order=" + MARKER.encode(),
        b"User-Agent": b"\xff" + MARKER.encode(),
        b"X-Amzn-Trace-Id": b"Root=" + MARKER.encode(),
        b"X-HTTP-Method-Override": b"DELETE",
    }.items():
        yield accepted(f"header {name.decode()}", headers=(*JSON, (name, value)))


def framing() -> Iterable[HostileRequest]:
    chunked: Headers = (*JSON, (b"Transfer-Encoding", b"chunked"))

    def chunks(body: bytes, size: int, extension: bytes = b"") -> bytes:
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n"

    stored, too_large = Order(**ORDER), order().ljust(MAX_BODY_BYTES + 1)
    trailer = chunks(order(), len(order()), b";name=value") + b"Idempotency-Key: a b\r\n\r\n"
    for name, status, code, rest in (
        ("chunks of one byte", 202, None, chunks(order(), 1) + b"\r\n"),
        ("a chunk with an extension and a trailer", 202, None, trailer),
        ("chunks of 16 KiB and a byte", 413, "PAYLOAD_TOO_LARGE", chunks(too_large, 1000) + b"\r\n"),
        ("no chunk", 400, "BODY_MISSING", chunks(b"", 1) + b"\r\n"),
    ):
        yield HostileRequest(
            name, status, code, stored=None if code else stored, headers=(*MARKED, *chunked), rest=rest
        )
    yield accepted("Expect: 100-continue", headers=(*JSON, (b"Expect", b"100-continue")))
    for name, invalid in {
        "a length that is not a number": (b"Content-Length", b"x"),
        "a negative length": (b"Content-Length", b"-1"),
    }.items():
        yield by_gateway(name, 400, headers=(*JSON, invalid), rest=order())
    yield by_gateway("a chunk without a size", 400, headers=chunked, rest=b"x\r\n" + order())
    yield by_gateway("two lengths", 400, headers=(*JSON, *length_of(order()), (b"Content-Length", b"1")), rest=order())
    yield by_gateway("a NUL in a header", 400, headers=keyed(b"a\0b"))
    yield by_gateway("a header without a name", 400, headers=(*JSON, (b"", b"x")))
    yield by_gateway("a space in a header's name", 400, headers=(*JSON, (b"Idempotency-Key ", b"x")))


def targets() -> Iterable[HostileRequest]:
    order_id = random_order_id(os.urandom(12))
    pending = order_id.encode()
    # An HTTP API returns 404, not 405, for a method without a route.
    for method in (b"PUT", b"DELETE", b"HEAD", b"GET", b"TRACE", b"BREW"):
        yield by_gateway(f"{method.decode()} /orders", 404, method)
    for method in (b"POST", b"PATCH", b"DELETE"):
        yield by_gateway(f"{method.decode()} /orders/ID", 404, method, b"/orders/" + pending)
    yield by_gateway("OPTIONS without an origin", 204, b"OPTIONS")
    # Methods are case-sensitive in HTTP, but the emulator's server converts them to upper case.
    yield replace(accepted("a method in lower case"), method=b"post")
    for target in (
        *(b"/", b"/orders//", b"/ORDERS", b"/order", b"/orders%00", b"/orders%0a", b"/orders%252f", b"/orders\\"),
        *(b"/orders#x", b"/orders;x=1", b"/orders.json", b"/./orders", b"/x/../orders", b"/%2e%2e/orders", b"*"),
        *(b"/dev/orders", b"/@connections/x", b"http://evil.example/orders", b"/orders/" + MARKER.encode() + b"/items"),
    ):
        yield by_gateway(f"POST {target.decode().replace(MARKER, 'MARKER')}", 404, target=target)
    # The emulator ignores one extra slash at either end.
    for target in (b"/orders?quantity=2&%ff=" + MARKER.encode(), b"/%6frders", b"/orders/", b"/orders%2f", b"//orders"):
        yield replace(accepted(f"POST {target.decode().replace(MARKER, 'MARKER')}"), target=target)

    def get(name: str, text: bytes, code: str | None = None, rest: bytes = b"") -> HostileRequest:
        status, headers = STATUS_OF[code] if code else 200, (*MARKED, *length_of(rest))
        return HostileRequest(f"GET {name}", status, code, None, None, b"GET", b"/orders/" + text, headers, rest)

    def with_checksum(version: str, variant: str) -> bytes:
        head = UUID(order_id[:14] + version + order_id[15:19] + variant + order_id[20:]).bytes[:12]
        return str(UUID(bytes=head + zlib.crc32(head).to_bytes(4, "big"))).encode()

    yield get("a pending ID", pending)
    yield get("an ID in capitals", pending.upper())
    yield get("an ID with a query", pending + b"?order_id=" + MARKER.encode())
    yield get("an ID as percent escapes", b"".join(b"%%%02x" % byte for byte in pending))
    yield get("an ID with a body", pending, rest=order())
    for name, text in {
        "a wrong checksum": pending[:-1] + (b"0" if order_id[-1] != "0" else b"1"),
        "version 4 with its checksum": with_checksum("4", order_id[19]),
        "another variant with its checksum": with_checksum("8", "c"),
        "no hyphens": pending.replace(b"-", b""),
        "a URN": b"urn:uuid:" + pending,
        "a trailing line feed": pending + b"%0A",
        "a NUL": b"%00",
        "a full-width digit": b"%EF%BC%91" + pending[1:],
        "invalid UTF-8": b"%FF" + pending[1:],
        "a dot segment": b"%2e%2e",
        "__proto__": b"__proto__",
        "markup": b"%3Cscript%3E",
        "the marker": MARKER.encode(),
        "4000 digits": b"0" * 4000,
    }.items():
        yield get(name, text, "ORDER_NOT_FOUND")
    for name, text in {"an empty ID": b"", "a segment after the ID": pending + b"/" + MARKER.encode()}.items():
        yield by_gateway(f"GET {name}", 404, b"GET", b"/orders/" + text)
    yield by_gateway("GET raw UTF-8", 400, b"GET", "/orders/é".encode())
    yield by_gateway("GET 64 KiB", 431, b"GET", b"/orders/" + b"0" * 64 * 1024)


HOSTILE_REQUESTS = [*documents(), *orders(), *headers(), *framing(), *targets()]
