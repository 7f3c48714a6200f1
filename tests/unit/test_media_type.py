"""Whether a Content-Type is JSON in UTF-8, by HTTP's grammar."""

import time

import pytest

from orders.handlers.http import is_json_in_utf8

VALID = [
    "application/json",
    " \tApplication/JSON \t",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    'application/json\t ; Charset="\\utf-8"; charset=utf-8',
    'application/json; profile="a;charset=latin1\\""',
    "application/json ; version=1 ;; ;",
    "application/json; x=y; charset=utf-8; z=1",
]
INVALID = [
    "",
    "json",
    "text/plain",
    "application/json5",
    "application/jso",
    "application/problem+json",
    "Xapplication/json",
    "application/json/x",
    "application/json, application/json",
    "application/json x",
    "application/json\u00a0",
    "application/json\n",
    "application/json; charset",
    "application/json; charset=",
    "application/json; charset = utf-8",
    "application/json; charset=latin-1",
    "application/json; charset=utf-8; CHARSET=latin-1",
    "application/json; charset=latin-1; charset=utf-8",
    "application/json; charset*=utf-16''x",
    # The standard library's parser of mail headers raises TypeError here, and ValueError.
    "application/json; charset*=utf-8''x; charset*0=utf-8",
    "application/json; charset*" + "9" * 5000 + "=utf-16",
    'application/json; charset="utf-8',
    'application/json; x="unclosed',
    'application/json; x="a"b',
]


@pytest.mark.parametrize("content_type", VALID)
def test_json_in_utf8_is_accepted_with_any_case_and_other_parameters(content_type: str) -> None:
    assert is_json_in_utf8(content_type)


@pytest.mark.parametrize("content_type", INVALID, ids=lambda text: text[:60])
def test_another_type_charset_or_grammar_is_rejected(content_type: str) -> None:
    assert not is_json_in_utf8(content_type)


@pytest.mark.parametrize("piece", [" ", " ;", ";\t", '; a="\\\\', "; a=", '"', ";a*=b"])
def test_the_time_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        is_json_in_utf8("application/json" + piece * length)
        return time.process_time() - start

    assert seconds(20_000) < 30 * max(seconds(2_000), 0.001)
