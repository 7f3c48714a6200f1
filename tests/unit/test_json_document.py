"""Reading a body as one strict JSON document."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
from unit.hostile_strategies import JSON_VALUES, NESTED, UNWRITABLE_VALUES, damaged, json_texts, near_orders


def code_of(body: bytes) -> str:
    with pytest.raises(DocumentUnreadableError) as refusal:
        read_json_document(body)
    assert str(refusal.value) == refusal.value.code, "the text of the error repeats nothing of the body"
    return refusal.value.code


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"{}{}", b"{'a': 1}", b'{"a": 1,}', b"nul", b" ", b"\x00", b'{"a": NaN}', b'{"a": Infinity}'),
        *(b'{"a": -Infinity}', b'{"a": 01}', b'{"a": "\n"}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}'),
        *(b'{"\\udfff": 1}', b'["\\ude00\\ud83d"]', b"\xef\xbb\xbf{}", "\N{NO-BREAK SPACE}{}".encode()),
    ],
)
def test_refuses_what_is_not_one_json_document(body: bytes) -> None:
    assert code_of(body) == "INVALID_JSON"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "\xff"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\xed\xa0\x80"}',
        "{}".encode("utf-16"),
        b'{"a": "caf\xe9"}',
        "{}".encode("utf-32"),
        '{"a": "\N{REPLACEMENT CHARACTER}"}'.encode(),
    ],
)
def test_refuses_what_is_not_utf8(body: bytes) -> None:
    assert code_of(body) == "INVALID_ENCODING"


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "\\u0061": 2}}', b'[{"": 1, "": 1}]'])
def test_refuses_a_key_that_is_there_twice(body: bytes) -> None:
    assert code_of(body) == "DUPLICATE_KEY"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 65 + b"]" * 65,
        b"[" * 5000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'["]", ' + b"[" * 64 + b"]" * 64 + b"]",
        b'["\\"]", ' + b"[" * 64 + b"]" * 64 + b"]",
    ],
)
def test_refuses_more_than_64_levels(body: bytes) -> None:
    assert code_of(body) == "NESTING_TOO_DEEP"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 64 + b"]" * 64,
        b"[[]," + b"[" * 63 + b"]" * 64,
        b"[" + b",".join([b"[]"] * 500) + b"]",
        b'"' + b"[{" * 500 + b'"',
        b'["\\"", "' + b"[" * 100 + b'"]',
    ],
)
def test_admits_64_levels_and_any_number_of_brackets(body: bytes) -> None:
    assert read_json_document(body) == json.loads(body)


def test_brackets_of_a_string_that_never_ends_are_no_nesting() -> None:
    assert code_of(b'{"a":"' + b"[" * 100) == "INVALID_JSON"
    assert code_of(b'{"a":"' + b"[" * 100 + b"\\") == "INVALID_JSON"


@pytest.mark.parametrize(
    "body", [b"[" * 65 + b"]" * 65 + b'"' + b'\\"' * 8000, b'{"a":"' + b"[" * 70 + b'\\"' * 8100], ids=["deep", "flat"]
)
def test_the_time_it_takes_grows_with_the_body_and_not_with_its_square(body: bytes) -> None:
    def seconds(text: bytes) -> float:
        start = time.process_time()
        code_of(text)
        return time.process_time() - start

    # Ten times the body took a hundred times as long, seconds of it; the floor is the clock's own grain.
    assert seconds(body) < 30 * max(seconds(body[: len(body) // 10]), 0.001)


def test_admits_escaped_characters_outside_the_basic_plane() -> None:
    assert read_json_document(b'"\\ud83c\\udf4c"') == "\N{BANANA}"


@settings(max_examples=500)
@given(
    st.binary(max_size=200)
    | NESTED.map(str.encode)
    | json_texts(UNWRITABLE_VALUES).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | damaged(json_texts(JSON_VALUES))
    | damaged(json_texts(near_orders()))
)
def test_any_bytes_are_read_as_json_loads_reads_them_or_rejected_with_a_reason(body: bytes) -> None:
    try:
        document = read_json_document(body)
    except DocumentUnreadableError as refusal:
        assert refusal.code in {"INVALID_JSON", "INVALID_ENCODING", "DUPLICATE_KEY", "NESTING_TOO_DEEP"}
    else:
        # By their spelling, because 1, 1.0 and True are equal.
        assert repr(document) == repr(json.loads(body))
        assert json.dumps(document, ensure_ascii=False).encode()


@given(json_texts(JSON_VALUES.filter(lambda value: "\ufffd" not in repr(value))))
def test_every_json_document_is_read(text: str) -> None:
    assert read_json_document(text.encode()) == json.loads(text)
