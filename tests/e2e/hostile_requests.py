"""Requests that no honest client sends, and some at the very edge of what one may: what each must be answered.

Every request carries MARKER somewhere in its content, so that an echo of any of it is found.
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
"""Nobody else's text, and at the same time a customer id and a product id."""

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
    """One request, as bytes, and what must become of it."""

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
    yield refused("UTF-16 big endian, which is UTF-8 with NULs", "INVALID_JSON", text.encode("utf-16-be"), pad(JSON))
    yield refused("UTF-16 little endian", "INVALID_JSON", text.encode("utf-16-le"), pad(JSON))
    yield refused("UTF-32 with a byte order mark", "INVALID_ENCODING", text.encode("utf-32"), pad(JSON))
    yield refused("UTF-32 big endian", "INVALID_JSON", text.encode("utf-32-be"), pad(JSON))
    yield refused("EBCDIC", "INVALID_ENCODING", text.encode("cp037"), pad(JSON))
    yield refused("UTF-7", "INVALID_JSON", text.replace("{", "+AHs-").encode())
    yield refused("UTF-8 with a byte order mark", "INVALID_JSON", b"\xef\xbb\xbf" + order())
    yield refused("a byte order mark in the middle", "INVALID_JSON", order()[:-1] + b"\xef\xbb\xbf}")
    for name, byte_sequence in {
        "a byte that UTF-8 never has": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "an overlong NUL": b"\xc0\x80",
        "an overlong quotation mark": b"\xe0\x80\xa2",
        "a raw surrogate": b"\xed\xa0\x80",
        "a raw surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond the last code point": b"\xf4\x90\x80\x80",
        "a sequence of five bytes": b"\xf8\x88\x80\x80\x80",
        "a sequence that breaks off": b"\xe2\x82",
        "a continuation without a start": b"\x80",
        "Latin-1": b"caf\xe9",
        "U+FFFD itself": "\N{REPLACEMENT CHARACTER}".encode(),
    }.items():
        yield refused(name, "INVALID_ENCODING", with_literal("product_id", b'"%b"' % byte_sequence))
    # The emulator's gateway makes three bytes of each, more than 16 KiB; the client sent fewer, and is told so.
    yield refused(
        "6000 bytes that are not UTF-8", "INVALID_ENCODING", with_literal("product_id", b'"%b"' % (b"\xff" * 6000))
    )
    yield refused("invalid UTF-8 after the document", "INVALID_ENCODING", order() + b"\xff")
    yield refused(
        "invalid UTF-8 that says charset=utf-8",
        "INVALID_ENCODING",
        with_literal("product_id", b'"\xff"'),
        content_type(b"application/json; charset=utf-8"),
    )
    for name, value in {"text/plain": b"text/plain", "no known type": b"application/octet-stream"}.items():
        yield refused(
            f"invalid UTF-8 as {name}",
            "UNSUPPORTED_MEDIA_TYPE",
            with_literal("product_id", b'"\xff"'),
            content_type(value),
        )


def surrogates_and_escapes() -> Iterable[HostileRequest]:
    for name, escape in {
        "a high surrogate": r"\ud800",
        "a low surrogate": r"\uDFFF",
        "a pair in reverse": r"\ude00\ud83d",
        "half a pair before a letter": r"\ud83dx",
    }.items():
        yield refused(f"{name}, escaped", "INVALID_JSON", with_literal("product_id", f'"{escape}"'))
    yield refused("an escaped surrogate in a key", "INVALID_JSON", plus(r'"\ud800": 1'))
    yield refused("an escaped surrogate deep inside", "INVALID_JSON", plus(r'"x": [[{"y": "\ud800"}]]'))
    yield refused("an escaped surrogate pair", "VALIDATION_FAILED", with_literal("product_id", r'"\ud83c\udf4c"'))
    yield refused("U+FFFD, escaped", "VALIDATION_FAILED", with_literal("product_id", r'"\ufffd"'))
    yield refused("an escape that JSON does not have", "INVALID_JSON", with_literal("product_id", r'"\x41"'))
    yield refused("an escape that breaks off", "INVALID_JSON", with_literal("product_id", r'"\u00"'))
    yield refused("a raw line feed in a string", "INVALID_JSON", with_literal("product_id", '"a\nb"'))
    yield refused("a raw tab in a string", "INVALID_JSON", with_literal("product_id", '"a\tb"'))
    yield refused("a raw NUL in a string", "INVALID_JSON", with_literal("product_id", '"a\0b"'))
    yield accepted("letters as escapes", with_literal("product_id", r'"\u0042\u0061nana"'), product_id="Banana")
    yield accepted("a key as escapes", order().replace(b'"quantity"', rb'"\u0071uantity"'))


def documents() -> Iterable[HostileRequest]:
    for name, body in {
        "two documents": order() + order(),
        "two documents on two lines": order() + b"\n" + order(),
        "trailing garbage": order() + b"x",
        "a NUL at the end": order() + b"\0",
        "a no-break space before it": "\N{NO-BREAK SPACE}".encode() + order(),
        "a form feed before it": b"\x0c" + order(),
        "a comment of one line": order() + b"// comment",
        "a comment within": order().replace(b", ", b", /* comment */", 1),
        "a comment with a hash": b"# comment\n" + order(),
        "single quotes": order().replace(b'"', b"'"),
        "keys without quotes": order().replace(b'"quantity"', b"quantity"),
        "a trailing comma": order()[:-1] + b",}",
        "no comma": order().replace(b", ", b" ", 1),
        "no closing brace": order()[:-1],
        "a prefix against inclusion": b")]}',\n" + order(),
        "a callback": b"callback(" + order() + b")",
        "a form": b"customer_id=" + MARKER.encode() + b"&quantity=1",
        "XML": b"<order><customer_id>" + MARKER.encode() + b"</customer_id></order>",
        "YAML": b"customer_id: " + MARKER.encode(),
        "a Python literal": with_literal("quantity", "None"),
        "undefined": with_literal("quantity", "undefined"),
        "capital True": with_literal("quantity", "True"),
        "a string that never ends": b'{"customer_id": "' + MARKER.encode(),
    }.items():
        yield refused(name, "INVALID_JSON", body)
    for name, body in {"a space": b" ", "line feeds": b"\r\n\r\n", "16 KiB of spaces": b" " * MAX_BODY_BYTES}.items():
        yield refused(f"nothing but {name}", "INVALID_JSON", body, pad(JSON))
    for name, body in {
        "null": b"null",
        "true": b"true",
        "a number": b"-1.5e3",
        "an empty list": b"[]",
        "an empty object": b"{}",
    }.items():
        yield refused(f"{name} for an order", "VALIDATION_FAILED", body, pad(JSON))
    yield refused("a string for an order", "VALIDATION_FAILED", json.dumps(MARKER).encode(), pointers=("",))
    yield refused("an order in a list", "VALIDATION_FAILED", b"[" + order() + b"]", pointers=("",))
    yield refused("an order as a string", "VALIDATION_FAILED", json.dumps(order().decode()).encode(), pointers=("",))
    yield refused("an empty body", "BODY_MISSING", b"", pad(JSON))
    yield HostileRequest("no body and no length", 400, "BODY_MISSING", headers=pad(JSON))
    yield accepted("whitespace wherever JSON admits it", b" \r\n\t" + order().replace(b" ", b"\n\t ") + b"\r\n")
    yield accepted("no whitespace at all", order().replace(b" ", b""))


def duplicate_keys() -> Iterable[HostileRequest]:
    for name, body in {
        "a key twice": plus('"quantity": 2'),
        "a key twice with the same value": plus('"quantity": 1'),
        "a key three times": plus('"quantity": 2, "quantity": 3'),
        "a key once more as escapes": plus(r'"\u0071uantity": 2'),
        "a key once more as escapes in capitals": plus(r'"custome\u0072\u005Fid": "002"'),
        "an unknown key twice": plus('"x": 1, "x": 2'),
        "a key twice in an inner object": plus('"x": {"y": 1, "y": 2}'),
        "a key twice in a list": plus('"x": [{"y": 1}, {"y": 1, "y": 2}]'),
        "an empty key twice": plus('"": 1, "": 2'),
        "a key twice under another": plus('"__proto__": {"a": 1, "a": 2}'),
    }.items():
        yield refused(name, "DUPLICATE_KEY", body)
    yield refused("the same key of two objects", "VALIDATION_FAILED", plus('"x": {"a": 1}, "y": {"a": 1}'))
    yield refused("a key in two cases", "VALIDATION_FAILED", plus('"Quantity": 2'), pointers=("/Quantity",))


def depths() -> Iterable[HostileRequest]:
    def nested(opening: bytes, closing: bytes, levels: int) -> bytes:
        return opening * levels + json.dumps(MARKER).encode() + closing * levels

    at_limit = MAX_DEPTH
    yield refused("64 lists", "VALIDATION_FAILED", nested(b"[", b"]", at_limit), pointers=("",))
    yield refused("65 lists", "NESTING_TOO_DEEP", nested(b"[", b"]", at_limit + 1))
    yield refused("64 objects", "VALIDATION_FAILED", nested(b'{"a":', b"}", at_limit))
    yield refused("65 objects", "NESTING_TOO_DEEP", nested(b'{"a":', b"}", at_limit + 1))
    yield refused("an order with 63 lists", "VALIDATION_FAILED", plus(b'"x": ' + nested(b"[", b"]", at_limit - 1)))
    yield refused("an order with 64 lists", "NESTING_TOO_DEEP", plus(b'"x": ' + nested(b"[", b"]", at_limit)))
    yield refused("8000 lists", "NESTING_TOO_DEEP", nested(b"[", b"]", 8000))
    yield refused("8000 lists that never close", "NESTING_TOO_DEEP", b"[" * 8000, pad(JSON))
    yield refused("64 lists that never close", "INVALID_JSON", b"[" * at_limit, pad(JSON))
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
    """Each is an order but for one value."""
    values: dict[str, dict[str, str]] = {
        "quantity": {
            "1.0": "1.0",
            "one with an exponent": "1e0",
            "1E3": "1E3",
            "0.1e1": "0.1e1",
            "minus zero": "-0",
            "0": "0",
            "-1": "-1",
            "10000": "10000",
            "2 to the power of 64": "18446744073709551616",
            "1E400": "1E400",
            "-1E400": "-1E400",
            "1e-400": "1e-400",
            "4300 digits": "9" * 4300,
            "an empty string": '""',
            '"0"': '"0"',
            '"00"': '"00"',
            '"01"': '"01"',
            '"+1"': '"+1"',
            '"-1"': '"-1"',
            '" 1"': '" 1"',
            '"1 "': '"1 "',
            '"1."': '"1."',
            '".1"': '".1"',
            '"1.0"': '"1.0"',
            '"1e3"': '"1e3"',
            '"10000"': '"10000"',
            '"0x1"': '"0x1"',
            '"1_0"': '"1_0"',
            '"1,0"': '"1,0"',
            "a word": '"one"',
            "a full-width digit": '"１"',
            "an Arabic digit": '"١"',
            "a Devanagari digit": '"१"',
            "a superscript": '"²"',
            "a trailing line feed": r'"1\n"',
            "four digits and a line feed": r'"9999\n"',
            "a NUL after it": r'"1\u0000"',
            "a right-to-left override": r'"\u202e1"',
            "half": "0.5",
        },
        "order_date": {
            "30 February": '"2026-02-30"',
            "29 February of no leap year": '"2025-02-29"',
            "29 February 1900": '"1900-02-29"',
            "the year 0": '"0000-01-01"',
            "month 0": '"2025-00-10"',
            "month 13": '"2025-13-01"',
            "day 0": '"2025-04-00"',
            "31 April": '"2025-04-31"',
            "a week date": '"2025-W17-5"',
            "a week date in basic format": '"2025W175"',
            "an ordinal date": '"2025-115"',
            "the basic format": '"20250425"',
            "one digit for the month": '"2025-4-25"',
            "two digits for the year": '"25-04-25"',
            "five digits for the year": '"12025-04-25"',
            "a sign": '"+2025-04-25"',
            "slashes": '"2025/04/25"',
            "en dashes": '"2025–04–25"',
            "a time": '"2025-04-25T00:00:00Z"',
            "a space before": '" 2025-04-25"',
            "a trailing line feed": r'"2025-04-25\n"',
            "a NUL after it": r'"2025-04-25\u0000"',
            "full-width digits": '"２０２５-04-25"',
            "Arabic digits": '"٢٠٢٥-٠٤-٢٥"',
            "a word": '"today"',
            "an empty string": '""',
            "an integer": "20250425",
        },
        "customer_id": {
            "an empty string": '""',
            "a space": '" "',
            "65 characters": '"' + "c" * 65 + '"',
            "10,000 characters": '"' + "c" * 10_000 + '"',
            "a space within": '"a b"',
            "a leading dot": '".a"',
            "a leading hyphen": '"-a"',
            "__proto__": '"__proto__"',
            "a comma": '"a,b"',
            "a slash": '"a/b"',
            "dot segments": '"../../etc/passwd"',
            "a quotation mark": r'"a\"b"',
            "a backslash": r'"a\\b"',
            "a trailing line feed": r'"001\n"',
            "a trailing carriage return": r'"001\r"',
            "a NUL": r'"001\u0000"',
            "DEL": '"001\x7f"',
            "a full-width digit": '"００１"',
            "an Arabic digit": '"٠٠١"',
            "a Cyrillic letter": '"а001"',
            "a combining accent": '"e\u0301"',
            "a zero-width joiner": '"a\u200db"',
            "a right-to-left override": '"a\u202eb"',
            "a line separator": '"a\u2028b"',
            "an emoji": '"\N{BANANA}"',
            "SQL": "\"1' OR '1'='1\"",
            "a template": '"${7*7}"',
            "an integer": "1",
        },
        "product_id": {
            "an empty string": '""',
            "a space": '" "',
            "129 characters": '"' + "p" * 129 + '"',
            "a leading space": '" Banana"',
            "a trailing space": '"Banana "',
            "a trailing line feed": r'"Banana\n"',
            "a tab": r'"Ban\tana"',
            "a NUL": r'"Banana\u0000"',
            "a no-break space": '"Granny\u00a0Smith"',
            "a soft hyphen": '"Ba\u00adnana"',
            "a combining accent": '"Banane\u0301"',
            "a right-to-left override": '"\u202eananaB"',
            "a full-width letter": '"Ｂanana"',
            "markup": '"<script>alert(1)</script>"',
            "a formula of a spreadsheet": '"=1+1"',
            "an integer": "1",
        },
    }
    for name in ORDER:
        values[name] |= {
            "true": "true",
            "false": "false",
            "null": "null",
            "an empty list": "[]",
            "its value in a list": f"[{json.dumps(ORDER[name])}]",
            "an empty object": "{}",
            "an object": f'{{"value": {json.dumps(ORDER[name])}}}',
        }
        for what, literal in values[name].items():
            yield refused(f"{name}: {what}", "VALIDATION_FAILED", with_literal(name, literal), pointers=(f"/{name}",))


def numbers_that_are_not_json() -> Iterable[HostileRequest]:
    for literal in ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "1e", "0x10", "1_000", "--1", "１"):
        yield refused(f"quantity: {literal} as a number", "INVALID_JSON", with_literal("quantity", literal))
    yield refused("quantity: 4301 digits", "INVALID_JSON", with_literal("quantity", "9" * 4301))
    yield refused("quantity: 10,000 digits", "INVALID_JSON", with_literal("quantity", "-" + "9" * 10_000))


def members() -> Iterable[HostileRequest]:
    for name, key in {
        "an empty key": "",
        "__proto__": "__proto__",
        "constructor": "constructor",
        "a key of 8000 characters": "k" * 8000,
        "a key with a NUL": "\0",
        "a field with a space after it": "quantity ",
        "a field with a line feed after it": "quantity\n",
        "a field in full-width letters": "ｑuantity",
        "the stored order's own field": "order_id",
        "a key that needs escaping as a pointer": "a/b~c",
    }.items():
        escaped = key.replace("~", "~0").replace("/", "~1")
        yield refused(
            f"one member more: {name}", "VALIDATION_FAILED", order(**{key: MARKER}), pointers=(f"/{escaped}",)
        )
    for name in ORDER:
        body = json.dumps({key: value for key, value in ORDER.items() if key != name}).encode()
        yield refused(f"one member less: {name}", "VALIDATION_FAILED", body, pointers=(f"/{name}",))


def orders_at_the_edge() -> Iterable[HostileRequest]:
    edges: dict[str, dict[str, Any]] = {
        "quantity 9999": {"quantity": 9999},
        "29 February of a leap year": {"order_date": "2024-02-29"},
        "29 February 2000": {"order_date": "2000-02-29"},
        "the first day": {"order_date": "0001-01-01"},
        "the last day": {"order_date": "9999-12-31"},
        "customer constructor": {"customer_id": "constructor"},
        "customer null": {"customer_id": "null"},
        "customer 0": {"customer_id": "0"},
        "a customer of 64 characters": {"customer_id": "Z._-9" + "c" * 59},
        "a product of one character": {"product_id": "x"},
        "a product of dots and hyphens": {"product_id": "-._"},
        "a product with spaces within": {"product_id": "Granny  Smith 2.0_b-c"},
        "a product of 128 characters": {"product_id": "p" * 128},
        "product __proto__": {"product_id": "__proto__"},
        "product hasOwnProperty": {"product_id": "hasOwnProperty"},
        "product 1e999": {"product_id": "1e999"},
    }
    for name, changes in edges.items():
        yield accepted(name, order(**changes), **changes)
    yield accepted('quantity "1"', order(quantity="1"))
    yield accepted('quantity "9999"', order(quantity="9999"), quantity=9999)
    yield accepted("members in reverse", json.dumps(dict(reversed(list(ORDER.items())))).encode())


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
        b"",
        b"json",
        b"text/plain",
        b"text/json",
        b"application/json5",
        b"application/jsonp",
        b"application/ld+json",
        b"application/problem+json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"*/*",
        b"application/*",
        b"application/json, application/json",
        b"application/json, text/plain",
        b"application/json x",
        b"application/json; charset",
        b"application/json; charset=",
        b'application/json; charset=""',
        b"application/json; charset=utf8",
        b"application/json; charset=utf-16",
        b"application/json; charset=iso-8859-1",
        b"application/json; charset=us-ascii",
        b"application/json; charset='utf-8'",
        b'application/json; charset="utf-8',
        b"application/json; charset=utf-8, application/json",
        b"application/json; charset=utf-8; charset=latin-1",
        b"application/json; charset=latin-1; charset=utf-8",
        b"application/json; CHARSET=Latin-1",
        b"application/json; charset*=utf-16''x",
        b"application/json; charset*=utf-8''x; charset*0=utf-8",
        b"application/json; charset*" + b"9" * 5000 + b"=utf-16",
        "application/json; charset=ｕtf-8".encode(),
        b"application/json\xa0",
        b"\xef\xbb\xbfapplication/json",
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
        b"application/json;",
        b"application/json ; ;; ",
        b"application/json;charset=utf-8",
        b"application/json;\tcharset=UTF-8",
        b'application/json; charset="Utf-8"',
        b'application/json; profile="a;charset=latin1"',
        b'application/json; profile="\\"; charset=latin1"',
        b"application/json; boundary=x; version=1; x-charset=latin-1",
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
    *numbers_that_are_not_json(),
    *members(),
    *orders_at_the_edge(),
    *idempotency_keys(),
    *media_types(),
    *other_headers(),
    *framing(),
    *methods(),
    *paths(),
    *order_ids(),
]
