"""Reading a body as one strict JSON document."""

import json
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
from unit.hostile_strategies import JSON_VALUES, NESTED, UNWRITABLE_VALUES, damaged, json_texts, near_orders
from unit.strict_json import NotStrictJsonError, parse_strictly


def code_of(body: bytes) -> str:
    with pytest.raises(DocumentUnreadableError) as refusal:
        read_json_document(body)
    assert str(refusal.value) == refusal.value.code, "the text of the error repeats nothing of the body"
    return refusal.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"nul",
        b" ",
        b"\x00",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 01}',
        b'{"a": "\n"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'["\\ude00\\ud83d"]',
        b"\xef\xbb\xbf{}",
        "\N{NO-BREAK SPACE}{}".encode(),
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


CODES = {"INVALID_JSON", "INVALID_ENCODING", "DUPLICATE_KEY", "NESTING_TOO_DEEP"}


@settings(max_examples=500)
@given(
    st.binary(max_size=200)
    | NESTED.map(str.encode)
    | json_texts(UNWRITABLE_VALUES).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | damaged(json_texts(JSON_VALUES))
    | damaged(json_texts(near_orders()))
)
def test_any_bytes_are_read_as_a_second_opinion_reads_them_or_refused_by_both(body: bytes) -> None:
    try:
        document = read_json_document(body)
    except DocumentUnreadableError as refusal:
        assert refusal.code in CODES
        with pytest.raises(NotStrictJsonError):
            parse_strictly(body)
    else:
        # By their spelling, for 1 and 1.0 and True are equal.
        assert repr(document) == repr(parse_strictly(body)) == repr(json.loads(body))


@given(
    st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"]),
    json_texts(near_orders()),
)
def test_an_order_in_another_encoding_is_refused(encoding: str, text: str) -> None:
    assert code_of(text.encode(encoding)) in {"INVALID_JSON", "INVALID_ENCODING"}


@given(json_texts(near_orders()), st.data())
def test_a_key_written_twice_is_refused_however_it_is_escaped(text: str, data: st.DataObject) -> None:
    document = json.loads(text)
    assume(document)
    key = data.draw(st.sampled_from(sorted(document)))
    escaped = "".join(
        data.draw(st.sampled_from([json.dumps(character)[1:-1], json.dumps(character, ensure_ascii=False)[1:-1]]))
        if ord(character) > 0xFFFF
        else data.draw(st.sampled_from([json.dumps(character)[1:-1], f"\\u{ord(character):04x}"]))
        for character in key
    )
    assume("\ufffd" not in text)

    assert code_of(f'{text.rstrip()[:-1]}, "{escaped}": 1}}'.encode()) == "DUPLICATE_KEY"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["Cs"]).filter("\ufffd".__ne__)),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
        max_leaves=20,
    ),
    st.booleans(),
)
def test_reads_every_json_document_as_the_standard_library_does(document: object, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert read_json_document(body) == document
