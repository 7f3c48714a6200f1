"""Hostile requests, and valid ones at the edge of the rules, with the response that each must get.

Every request contains MARKER, so that an echo of its content is found.
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
from unit.hostile_strategies import EDGES, VALID

MARKER = f"marker{secrets.token_hex(8)}"
"""Unique text that is a valid customer_id and product_id."""

ORDER: Mapping[str, Any] = {
    "customer_id": MARKER,
    "product_id": MARKER,
    "quantity": 1,
    "order_date": "2025-04-25",
}
MAX_BODY_BYTES = 16 * 1024

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Headers = ((b"Content-Type", b"application/json"),)
IN_A_HEADER: Headers = ((b"X-Marker", MARKER.encode()),)

STATUS_OF = {
    "BODY_MISSING": 400,
    "INVALID_JSON": 400,
    "INVALID_ENCODING": 400,
    "DUPLICATE_KEY": 400,
    "NESTING_TOO_DEEP": 400,
    "IDEMPOTENCY_KEY_INVALID": 400,
    "ORDER_NOT_FOUND": 404,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_FAILED": 422,
}


@dataclass(frozen=True)
class HostileRequest:
    """One request as bytes, and its expected result."""

    name: str
    status: int
    code: str | None = None
    """The problem's code; None where the order is accepted or found, and where API Gateway answers by itself."""
    pointers: tuple[str, ...] | None = None
    """The places that a 422 names, where it matters."""
    stored: Order | None = None
    """The order that is stored, where it is accepted."""
    method: bytes = b"POST"
    target: bytes = b"/orders"
    headers: Headers = field(default=(), repr=False)
    rest: bytes = field(default=b"", repr=False)
    """What follows the headers."""

    @property
    def content(self) -> bytes:
        """All that a client chose."""
        return self.target + b"".join(name + value for name, value in self.headers) + self.rest


def sized(body: bytes) -> Headers:
    return ((b"Content-Length", str(len(body)).encode()),)


def refused(
    name: str, code: str, body: bytes, headers: Headers = JSON, pointers: tuple[str, ...] | None = None
) -> HostileRequest:
    """POST /orders, refused by the function."""
    return HostileRequest(name, STATUS_OF[code], code, pointers, headers=(*headers, *sized(body)), rest=body)


def accepted(
    name: str, body: bytes, headers: Headers = JSON, target: bytes = b"/orders", **stored: Any
) -> HostileRequest:
    """POST /orders, accepted and stored with the fields `stored` and the rest as in ORDER."""
    order = Order(**{**ORDER, **stored})
    return HostileRequest(name, 202, stored=order, target=target, headers=(*headers, *sized(body)), rest=body)


def asked(name: str, order_id: bytes, code: str | None = None, rest: bytes = b"") -> HostileRequest:
    """GET /orders/{order_id}: found, or with the code of a problem."""
    status = STATUS_OF[code] if code else 200
    target = b"/orders/" + order_id
    return HostileRequest(
        name, status, code, method=b"GET", target=target, headers=(*IN_A_HEADER, *sized(rest)), rest=rest
    )


def by_gateway(
    name: str,
    status: int,
    method: bytes = b"POST",
    target: bytes = b"/orders",
    headers: Headers = JSON,
    rest: bytes | None = None,
) -> HostileRequest:
    """A request that API Gateway answers by itself, before any function is asked."""
    body = order() if rest is None and method == b"POST" else rest or b""
    return HostileRequest(
        name,
        status,
        method=method,
        target=target,
        headers=(*IN_A_HEADER, *headers, *(() if rest is not None else sized(body))),
        rest=body,
    )


def order(**changes: Any) -> bytes:
    """Return ORDER, changed, as JSON."""
    return json.dumps({**ORDER, **changes}).encode()


def with_literal(name: str, literal: bytes | str) -> bytes:
    """Return ORDER as JSON with field `name` written as `literal`."""
    literals = {key: json.dumps(value).encode() for key, value in ORDER.items()}
    literals[name] = literal if isinstance(literal, bytes) else literal.encode()
    return b"{" + b", ".join(b'"%b": %b' % (key.encode(), value) for key, value in literals.items()) + b"}"


def plus(member: bytes | str) -> bytes:
    """Return ORDER as JSON with one more member."""
    text = member if isinstance(member, bytes) else member.encode()
    return order()[:-1] + b", " + text + b"}"


def pad(headers: Headers) -> Headers:
    """Return headers that carry the marker, for a body that cannot."""
    return (*IN_A_HEADER, *headers)


def content_type(value: bytes) -> Headers:
    return ((b"Content-Type", value),)


def keyed(key: bytes) -> Headers:
    return (*JSON, (b"Idempotency-Key", key))


def issued_id() -> str:
    return random_order_id(os.urandom(12))


def sealed(order_id: str, version: str, variant: str) -> bytes:
    """Return an id of another version or variant, with the checksum that belongs to it."""
    head = UUID(order_id[:14] + version + order_id[15:19] + variant + order_id[20:]).bytes[:12]
    return str(UUID(bytes=head + zlib.crc32(head).to_bytes(4, "big"))).encode()


def encodings() -> Iterable[HostileRequest]:
    text = order().decode()
    yield refused("UTF-16 with a byte order mark", "INVALID_ENCODING", text.encode("utf-16"), pad(JSON))
    yield refused("UTF-16 big endian", "INVALID_JSON", text.encode("utf-16-be"), pad(JSON))
    yield refused("UTF-32 with a byte order mark", "INVALID_ENCODING", text.encode("utf-32"), pad(JSON))
    yield refused("EBCDIC", "INVALID_ENCODING", text.encode("cp037"), pad(JSON))
    yield refused("UTF-8 with a byte order mark", "INVALID_JSON", b"\xef\xbb\xbf" + order())
    for name, byte_sequence in {
        "an invalid byte": b"\xff",
        "an overlong NUL": b"\xc0\x80",
        "a raw surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
        "an incomplete sequence": b"\xe2\x82",
        "Latin-1": b"caf\xe9",
        "U+FFFD itself": "\N{REPLACEMENT CHARACTER}".encode(),
        # The emulator's gateway replaces each by three bytes, more than 16 KiB in all.
        "6000 invalid bytes": b"\xff" * 6000,
    }.items():
        yield refused(name, "INVALID_ENCODING", with_literal("product_id", b'"%b"' % byte_sequence))
    yield refused("invalid UTF-8 after the document", "INVALID_ENCODING", order() + b"\xff")
    for value, code in {
        b"application/json; charset=utf-8": "INVALID_ENCODING",
        b"text/plain": "UNSUPPORTED_MEDIA_TYPE",
        b"application/octet-stream": "UNSUPPORTED_MEDIA_TYPE",
    }.items():
        invalid = with_literal("product_id", b'"\xff"')
        yield refused(f"invalid UTF-8 as {value.decode()}", code, invalid, content_type(value))


def surrogates_and_escapes() -> Iterable[HostileRequest]:
    yield refused("an escaped surrogate", "INVALID_JSON", with_literal("product_id", r'"\ud800"'))
    yield refused("an escaped surrogate in a key", "INVALID_JSON", plus(r'"\ud800": 1'))
    yield refused("an escaped surrogate pair", "VALIDATION_FAILED", with_literal("product_id", r'"\ud83c\udf4c"'))
    yield refused("U+FFFD, escaped", "VALIDATION_FAILED", with_literal("product_id", r'"\ufffd"'))
    yield refused("a raw NUL in a string", "INVALID_JSON", with_literal("product_id", '"a\0b"'))
    yield accepted("letters as escapes", with_literal("product_id", r'"\u0042\u0061nana"'), product_id="Banana")
    yield accepted("a key as escapes", order().replace(b'"quantity"', rb'"\u0071uantity"'))


def documents() -> Iterable[HostileRequest]:
    for name, body in {
        "two documents": order() + order(),
        "a NUL at the end": order() + b"\0",
        "a comment": order() + b"// comment",
        "no closing brace": order()[:-1],
        "a form": b"customer_id=" + MARKER.encode() + b"&quantity=1",
        "XML": b"<order><customer_id>" + MARKER.encode() + b"</customer_id></order>",
        "NaN": with_literal("quantity", "NaN"),
        "4301 digits": with_literal("quantity", "9" * 4301),
    }.items():
        yield refused(name, "INVALID_JSON", body)
    for name, body in {"a space": b" ", "line feeds": b"\r\n\r\n", "16 KiB of spaces": b" " * MAX_BODY_BYTES}.items():
        yield refused(f"only {name}", "INVALID_JSON", body, pad(JSON))
    for body in (b"null", b"-1.5e3", b"[]", b"{}"):
        yield refused(f"{body.decode()} instead of an order", "VALIDATION_FAILED", body, pad(JSON))
    yield refused("an order in a list", "VALIDATION_FAILED", b"[" + order() + b"]", pointers=("",))
    yield refused("an empty body", "BODY_MISSING", b"", pad(JSON))
    yield HostileRequest("no body and no length", 400, "BODY_MISSING", headers=pad(JSON))
    yield accepted("whitespace wherever JSON permits it", b" \r\n\t" + order().replace(b" ", b"\n\t ") + b"\r\n")
    yield accepted(
        "members in reverse without whitespace",
        json.dumps(dict(reversed(list(ORDER.items())))).replace(" ", "").encode(),
    )


def duplicate_keys() -> Iterable[HostileRequest]:
    yield refused("a key twice", "DUPLICATE_KEY", plus('"quantity": 2'))
    yield refused("a key again as escapes", "DUPLICATE_KEY", plus(r'"custome\u0072\u005Fid": "002"'))
    yield refused("a key twice in a list", "DUPLICATE_KEY", plus('"x": [{"y": 1}, {"y": 1, "y": 2}]'))
    yield refused("the same key of two objects", "VALIDATION_FAILED", plus('"x": {"a": 1}, "y": {"a": 1}'))
    yield refused("a key in two cases", "VALIDATION_FAILED", plus('"Quantity": 2'), pointers=("/Quantity",))


def depths() -> Iterable[HostileRequest]:
    def nested(opening: bytes, closing: bytes, levels: int) -> bytes:
        return opening * levels + json.dumps(MARKER).encode() + closing * levels

    yield refused("64 lists", "VALIDATION_FAILED", nested(b"[", b"]", MAX_DEPTH), pointers=("",))
    yield refused("65 objects", "NESTING_TOO_DEEP", nested(b'{"a":', b"}", MAX_DEPTH + 1))
    yield refused("an order with 64 lists", "NESTING_TOO_DEEP", plus(b'"x": ' + nested(b"[", b"]", MAX_DEPTH)))
    yield refused("8000 unclosed lists", "NESTING_TOO_DEEP", b"[" * 8000, pad(JSON))
    yield refused("brackets in a string", "VALIDATION_FAILED", with_literal("product_id", '"' + "[{" * 100 + '"'))


def sizes() -> Iterable[HostileRequest]:
    at_limit = MAX_BODY_BYTES
    yield accepted("16 KiB", order().ljust(at_limit))
    yield accepted("16 KiB less a byte", order().ljust(at_limit - 1))
    yield refused("16 KiB and a byte", "PAYLOAD_TOO_LARGE", order().ljust(at_limit + 1))
    yield refused("1 MiB", "PAYLOAD_TOO_LARGE", order().ljust(1024 * 1024))
    yield refused("16 KiB and a byte of no JSON", "PAYLOAD_TOO_LARGE", MARKER.encode().ljust(at_limit + 1, b"{"))
    marked = (*JSON, *IN_A_HEADER)
    replacements = "\N{REPLACEMENT CHARACTER}".encode() * 6000
    yield refused("6000 times U+FFFD itself", "PAYLOAD_TOO_LARGE", replacements, marked)
    yield refused("16 KiB that are not UTF-8", "INVALID_ENCODING", b"\xff" * at_limit, marked)
    yield refused("16 KiB and a byte that are not UTF-8", "PAYLOAD_TOO_LARGE", b"\xff" * (at_limit + 1), marked)
    for excess, code in {0: "VALIDATION_FAILED", 1: "PAYLOAD_TOO_LARGE"}.items():
        body = plus(b'"x": ""')
        filling = "é" * ((at_limit - len(body)) // 2)
        body = plus(f'"x": "{filling}"').ljust(at_limit + excess)
        yield refused(f"half as many characters as 16 KiB and {excess} bytes", code, body)
    yield refused(
        "as many members as fit", "VALIDATION_FAILED", plus(", ".join(f'"{number:x}": 0' for number in range(1600)))
    )


def fields() -> Iterable[HostileRequest]:
    """Yield orders with one value at the edge of its rule, valid or invalid."""
    for name in ORDER:
        for value in EDGES[name]:
            label = f"{name}: {type(value).__name__} {str(value)[:40]!r} of {len(str(value))} characters"
            body = order(**{name: value})
            if value in VALID[name] and type(value) in (int, str):
                stored: dict[str, Any] = {name: int(value) if name == "quantity" else value}
                yield accepted(label, body, **stored)
            else:
                yield refused(label, "VALIDATION_FAILED", body, pointers=(f"/{name}",))
    # Python has no integer for the one, and reads the other as infinity.
    for literal in ("-0", "1E400"):
        body = with_literal("quantity", literal)
        yield refused(f"quantity: {literal}", "VALIDATION_FAILED", body, pointers=("/quantity",))


def members() -> Iterable[HostileRequest]:
    for key in ("", "__proto__", "k" * 8000, "\0", "quantity ", "ｑuantity", "order_id", "a/b~c"):
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        yield refused(f"another member {key[:20]!r}", "VALIDATION_FAILED", order(**{key: MARKER}), pointers=(pointer,))
    for name in ORDER:
        body = json.dumps({key: value for key, value in ORDER.items() if key != name}).encode()
        yield refused(f"no {name}", "VALIDATION_FAILED", body, pointers=(f"/{name}",))


def idempotency_keys() -> Iterable[HostileRequest]:
    for name, key in {
        "an empty key": b"",
        "a key of nothing but spaces": b"   ",
        "a key with a space": b"a b",
        "a key with a tab": b"a\tb",
        "a key of 256 characters": MARKER.encode().ljust(256, b"k"),
        "a key of 8000 characters": MARKER.encode().ljust(8000, b"k"),
        "a key in UTF-8": "clé".encode(),
        "a key in Latin-1": b"cl\xe9",
        "a key with a no-break space": "a\u00a0b".encode(),
        "a key of full-width digits": "１２３".encode(),
        "a key with a control character": b"a\x01b",
        "a key with DEL": b"a\x7fb",
    }.items():
        yield refused(name, "IDEMPOTENCY_KEY_INVALID", order(), keyed(key))
    for name, key in {
        "a key of one character": b"!",
        "a key of 255 characters": MARKER.encode().ljust(255, b"~"),
        "a key with a comma": b"a,b",
        "a key of nothing but a comma": b",",
        "a key of quotation marks and brackets": b"\"';<>{}\\%00",
        "a key with spaces around it, which are not part of it": b"  around\t",
    }.items():
        yield accepted(name, order(), keyed(key))
    yield accepted("a key in a header of capitals", order(), (*JSON, (b"IDEMPOTENCY-KEY", b"capitals")))
    # API Gateway joins two by a comma and hands one key over; the emulator adds a space, which is in no key.
    yield refused("two keys", "IDEMPOTENCY_KEY_INVALID", order(), (*keyed(b"a"), (b"idempotency-key", b"b")))
    yield refused("the body is judged before the key", "VALIDATION_FAILED", order(quantity=0), keyed(b"a b"))


def media_types() -> Iterable[HostileRequest]:
    for value in (
        *(b"", b"text/plain", b"application/problem+json", b"application/x-www-form-urlencoded", b"*/*"),
        *(b"multipart/form-data; boundary=x", b"application/json, application/json", b"application/json\xa0"),
        *(b"application/json; charset=utf-16", b"application/json; charset=utf-8; charset=latin-1"),
        *(b"application/json; charset*=utf-8''x; charset*0=utf-8", b"\xef\xbb\xbfapplication/json"),
        b"application/json; charset*" + b"9" * 5000 + b"=utf-16",
    ):
        yield refused(f"content type {value[:60]!r}", "UNSUPPORTED_MEDIA_TYPE", order(), content_type(value))
    yield refused("no content type", "UNSUPPORTED_MEDIA_TYPE", order(), ())
    yield refused("two content types", "UNSUPPORTED_MEDIA_TYPE", order(), (*JSON, *JSON))
    yield refused("two content types that differ", "UNSUPPORTED_MEDIA_TYPE", order(), (*JSON, *content_type(b"a/b")))
    for encoding in (b"gzip", b"identity", b"br", b"x", b""):
        headers = (*JSON, (b"Content-Encoding", encoding))
        yield refused(f"content encoding {encoding!r}", "UNSUPPORTED_MEDIA_TYPE", order(), headers)
    for value in (
        b"Application/JSON",
        b"application/json;charset=utf-8",
        b'application/json; charset="Utf-8"',
        b'application/json; profile="\\"; charset=latin1"',
    ):
        yield accepted(f"content type {value!r}", order(), content_type(value))


def other_headers() -> Iterable[HostileRequest]:
    for name, value in {
        "Accept": b"application/xml",
        "Accept-Charset": b"utf-16",
        "Cookie": b"order=" + MARKER.encode(),
        "Forwarded": b"for=192.0.2.1;host=evil.example",
        "If-None-Match": b"*",
        "Range": b"bytes=0-1",
        "Referer": b"https://" + MARKER.encode() + b".example",
        "User-Agent": b"\xff" + MARKER.encode(),
        "X-Amzn-Trace-Id": b"Root=" + MARKER.encode(),
        "X-Forwarded-Host": b"evil.example",
        "X-HTTP-Method-Override": b"DELETE",
        "__proto__": b"x",
    }.items():
        yield accepted(f"the header {name} changes nothing", order(), (*JSON, (name.encode(), value)))


def framing() -> Iterable[HostileRequest]:
    chunked: Headers = (*JSON, (b"Transfer-Encoding", b"chunked"))

    def chunks(body: bytes, size: int, extension: bytes = b"") -> bytes:
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n"

    yield HostileRequest(
        "chunks of one byte", 202, stored=Order(**ORDER), headers=pad(chunked), rest=chunks(order(), 1) + b"\r\n"
    )
    yield HostileRequest(
        "a chunk with an extension and a trailer",
        202,
        stored=Order(**ORDER),
        headers=chunked,
        rest=chunks(order(), len(order()), b";name=value") + b"Idempotency-Key: a b\r\n\r\n",
    )
    too_large = order().ljust(MAX_BODY_BYTES + 1)
    yield HostileRequest(
        "chunks of 16 KiB and a byte",
        413,
        "PAYLOAD_TOO_LARGE",
        headers=chunked,
        rest=chunks(too_large, 1000) + b"\r\n",
    )
    yield HostileRequest("no chunk at all", 400, "BODY_MISSING", headers=pad(chunked), rest=chunks(b"", 1) + b"\r\n")
    yield accepted("100-continue is expected", order(), (*JSON, (b"Expect", b"100-continue")))
    # What is no HTTP never reaches the API: whatever parses HTTP before it refuses by itself.
    yield by_gateway("a chunk of no size", 400, headers=chunked, rest=b"x\r\n" + order())
    yield by_gateway("a length of no number", 400, headers=(*JSON, (b"Content-Length", b"x")), rest=order())
    yield by_gateway("a negative length", 400, headers=(*JSON, (b"Content-Length", b"-1")), rest=order())
    yield by_gateway("two lengths", 400, headers=(*JSON, *sized(order()), (b"Content-Length", b"1")), rest=order())
    yield by_gateway("a NUL in a header", 400, headers=keyed(b"a\0b"))
    yield by_gateway("a header without a name", 400, headers=(*JSON, (b"", b"x")))
    yield by_gateway("a space in a header's name", 400, headers=(*JSON, (b"Idempotency-Key ", b"x")))


def methods() -> Iterable[HostileRequest]:
    # An HTTP API answers 404 to a method that has no route; it has no 405.
    for method in (b"PUT", b"PATCH", b"DELETE", b"HEAD", b"GET", b"TRACE", b"QUERY", b"BREW"):
        yield by_gateway(f"{method.decode()} of the orders", 404, method)
    for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"TRACE"):
        yield by_gateway(f"{method.decode()} of an order", 404, method, b"/orders/" + issued_id().encode())
    yield by_gateway("OPTIONS without an origin", 204, b"OPTIONS")
    # The emulator's server writes every method in capitals, which HTTP does not ask for.
    yield replace(accepted("a method in lower case", order()), method=b"post")


def paths() -> Iterable[HostileRequest]:
    for name, target in {
        "the root": b"/",
        "two slashes after it": b"/orders//",
        "capitals": b"/ORDERS",
        "another name": b"/order",
        "a NUL after it": b"/orders%00",
        "a line feed after it": b"/orders%0a",
        "a space after it": b"/orders%20",
        "a slash that is escaped twice": b"/orders%252f",
        "a backslash after it": b"/orders\\",
        "a fragment": b"/orders#x",
        "a matrix parameter": b"/orders;x=1",
        "an extension": b"/orders.json",
        "a dot segment": b"/./orders",
        "two dots": b"/x/../orders",
        "two dots at the end": b"/orders/..",
        "out and in again": b"/orders/../orders",
        "an escaped dot": b"/%2e/orders",
        "two escaped dots": b"/%2e%2e/orders",
        "a stage before it": b"/dev/orders",
        "the address of connections": b"/@connections/x",
        "another host": b"http://evil.example/orders",
        "no path but an asterisk": b"*",
        "an id": b"/orders/" + MARKER.encode(),
        "an id and more": b"/orders/" + MARKER.encode() + b"/items",
    }.items():
        yield by_gateway(f"POST to {name}", 404, target=target)
    yield accepted("a query", order(), target=b"/orders?quantity=2&customer_id=%00&%ff=" + MARKER.encode())
    yield accepted("an empty query", order(), target=b"/orders?")
    yield accepted("an escaped letter in the path", order(), target=b"/%6frders")
    # The emulator forgives a slash too much, at either end.
    yield accepted("a slash after the path", order(), target=b"/orders/")
    yield accepted("an escaped slash after the path", order(), target=b"/orders%2f")
    yield accepted("two slashes before the path", order(), target=b"//orders")


def order_ids() -> Iterable[HostileRequest]:
    order_id = issued_id()
    pending, lost = order_id.encode(), "ORDER_NOT_FOUND"
    yield asked("an id that is on its way", pending)
    yield asked("an id in capitals", pending.upper())
    yield asked("an id with a query", pending + b"?order_id=" + MARKER.encode())
    yield asked("an id as percent escapes", b"".join(b"%%%02x" % byte for byte in pending))
    yield asked("an id asked with a body", pending, rest=order())
    swapped = next(
        order_id[:i] + order_id[i + 1] + order_id[i] + order_id[i + 2 :]
        for i in range(24, 35)
        if order_id[i] != order_id[i + 1]
    )
    for name, text in {
        "a wrong checksum": pending[:-1] + (b"0" if order_id[-1] != "0" else b"1"),
        "two digits swapped": swapped.encode(),
        "version 4 with its checksum": sealed(order_id, "4", order_id[19]),
        "version 7 with its checksum": sealed(order_id, "7", order_id[19]),
        "another variant with its checksum": sealed(order_id, "8", "c"),
        "the nil UUID": str(UUID(int=0)).encode(),
        "the greatest UUID": str(UUID(int=2**128 - 1)).encode(),
        "no hyphens": pending.replace(b"-", b""),
        "braces": b"{%b}" % pending,
        "escaped braces": b"%7B" + pending + b"%7D",
        "a URN": b"urn:uuid:" + pending,
        "a quotation mark": b"%22" + pending + b"%22",
        "a leading space": b"%20" + pending,
        "a trailing line feed": pending + b"%0A",
        "a trailing NUL": pending + b"%00",
        "nothing but a NUL": b"%00",
        "a full-width digit": b"%EF%BC%91" + pending[1:],
        "a Kelvin sign": b"%E2%84%AA" + pending[1:],
        "invalid UTF-8": b"%FF" + pending[1:],
        "an extension": pending + b".json",
        "a matrix parameter": pending + b";x=1",
        "a wildcard": b"*",
        "a dot": b".",
        "an escaped dot segment": b"%2e%2e",
        "twice escaped": b"%2530",
        "__proto__": b"__proto__",
        "constructor": b"constructor",
        "null": b"null",
        "a negative number": b"-1",
        "SQL": b"'%20OR%201=1--",
        "markup": b"%3Cscript%3E",
        "a template": b"$%7B7*7%7D",
        "the marker": MARKER.encode(),
        "4000 digits": b"0" * 4000,
    }.items():
        yield asked(f"an id with or of: {name}", text, lost)
    for name, text in {
        "an empty id": b"",
        "a segment after it": pending + b"/" + MARKER.encode(),
        "a slash after it": pending + b"/",
        "an escaped slash": pending + b"%2f" + MARKER.encode(),
    }.items():
        yield by_gateway(f"GET of {name}", 404, b"GET", b"/orders/" + text)
    yield by_gateway("GET of raw UTF-8", 400, b"GET", "/orders/é".encode())
    yield by_gateway("GET of 64 KiB", 431, b"GET", b"/orders/" + b"0" * 64 * 1024)


HOSTILE_REQUESTS = [
    *encodings(),
    *surrogates_and_escapes(),
    *documents(),
    *duplicate_keys(),
    *depths(),
    *sizes(),
    *fields(),
    *members(),
    *idempotency_keys(),
    *media_types(),
    *other_headers(),
    *framing(),
    *methods(),
    *paths(),
    *order_ids(),
]
