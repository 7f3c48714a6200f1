"""Reading a body as one strict JSON document."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
from unit.hostile_strategies import JSON_VALUES, NESTED, damaged, json_texts, near_orders

REJECTED = {
    "INVALID_JSON": [
        *(b"{", b"{}{}", b"{'a': 1}", b'{"a": 1,}', b"nul", b" ", b"\x00", b'{"a": NaN}', b'{"a": Infinity}'),
        *(b'{"a": -Infinity}', b'{"a": 01}', b'{"a": "\n"}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}'),
        *(b'{"\\udfff": 1}', b'["\\ude00\\ud83d"]', b"\xef\xbb\xbf{}", "\N{NO-BREAK SPACE}{}".encode()),
        *(b"{}\0", b"\x0c{}", b"{}// comment", b"{/* comment */}", b"# comment\n{}", b"{a: 1}", b'{"a": 1 "b": 2}'),
        b'{"a": None}',
        *(b")]}',\n{}", b"callback({})", b"a=1&b=2", b"<a>1</a>", b"a: 1", b'{"a": undefined}', b'{"a": "'),
        b"{}\xef\xbb\xbf",
        *(b'{"a": "\\x41"}', b'{"a": "\\u00"}', b'{"a": "a\tb"}', b'{"a": "\\ud83dx"}', b'[[{"y": "\\uDFFF"}]]'),
        *(b'{"a": %b}' % number for number in (b"+1", b".5", b"1.", b"1e", b"0x10", b"1_000", b"--1", "１".encode())),
        *("{}".encode("utf-16-be"), "{}".encode("utf-16-le"), "{}".encode("utf-32-be"), b"+AHs-}"),
        # Brackets in an unclosed string do not nest.
        *(b'{"a":"' + b"[" * 100, b'{"a":"' + b"[" * 100 + b"\\"),
    ],
    "INVALID_ENCODING": [
        *(b'{"a": "\xff"}', b'{"a": "\xc0\xaf"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "caf\xe9"}'),
        *(b"\xc0\x80", b"\xe0\x80\xa2", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80", b"{}\xff"),
        *("{}".encode("utf-16"), "{}".encode("utf-32"), "{}".encode("cp037")),
        '{"a": "\N{REPLACEMENT CHARACTER}"}'.encode(),
    ],
    "DUPLICATE_KEY": [
        b'{"__proto__": {"a": 1, "a": 2}}',
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "\\u0061": 2}}',
        b'[{"": 1, "": 1}]',
    ],
    "NESTING_TOO_DEEP": [
        *(b"[" * 65 + b"]" * 65, b"[" * 5000, b'{"a":' * 2000 + b"1" + b"}" * 2000),
        *(b'["]", ' + b"[" * 64 + b"]" * 64 + b"]", b'["\\"]", ' + b"[" * 64 + b"]" * 64 + b"]"),
    ],
}


def code_of(body: bytes) -> str:
    with pytest.raises(DocumentUnreadableError) as error:
        read_json_document(body)
    assert str(error.value) == error.value.code, "the error's text must not contain input"
    return error.value.code


@pytest.mark.parametrize(("code", "body"), [(code, body) for code, bodies in REJECTED.items() for body in bodies])
def test_body_is_rejected_with_a_code_when_it_is_not_strict_json(code: str, body: bytes) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize(
    "body",
    [
        *(b"[" * 64 + b"]" * 64, b"[[]," + b"[" * 63 + b"]" * 64, b"[" + b",".join([b"[]"] * 500) + b"]"),
        *(b'"' + b"[{" * 500 + b'"', b'["\\"", "' + b"[" * 100 + b'"]', b'"\\ud83c\\udf4c"'),
    ],
)
def test_body_with_64_levels_and_any_number_of_brackets_is_read(body: bytes) -> None:
    assert read_json_document(body) == json.loads(body)


@pytest.mark.parametrize(
    "body", [b"[" * 65 + b"]" * 65 + b'"' + b'\\"' * 8000, b'{"a":"' + b"[" * 70 + b'\\"' * 8100], ids=["deep", "flat"]
)
def test_parsing_time_is_not_quadratic(body: bytes) -> None:
    def seconds(text: bytes) -> float:
        start = time.process_time()
        code_of(text)
        return time.process_time() - start

    # A quadratic reader takes a hundred times as long for a body ten times as long. 0.001 s is the clock's
    # resolution.
    assert seconds(body) < 30 * max(seconds(body[: len(body) // 10]), 0.001)


@settings(max_examples=500)
@given(
    st.binary(max_size=200)
    | NESTED.map(str.encode)
    | damaged(json_texts(JSON_VALUES))
    | damaged(json_texts(near_orders()))
)
def test_any_bytes_are_read_like_json_loads_or_rejected_with_a_code(body: bytes) -> None:
    try:
        document = read_json_document(body)
    except DocumentUnreadableError as error:
        assert error.code in REJECTED
    else:
        # Compare the spelling, because 1, 1.0 and True are equal.
        assert repr(document) == repr(json.loads(body))
        assert json.dumps(document, ensure_ascii=False).encode()


@given(json_texts(JSON_VALUES.filter(lambda value: "\ufffd" not in repr(value))))
def test_every_json_document_is_read(text: str) -> None:
    assert read_json_document(text.encode()) == json.loads(text)
