"""Whether a Content-Type is JSON in UTF-8."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.handlers.http import is_json_in_utf8

WORD = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=12)
QUOTED = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
SPACE = st.text(" \t", max_size=3)


@st.composite
def parameters(draw: st.DrawFn, name: st.SearchStrategy[str], value: st.SearchStrategy[str]) -> str:
    return f"{draw(SPACE)};{draw(SPACE)}{draw(name)}={draw(value)}"


OTHER_PARAMETERS = st.lists(
    parameters(WORD.filter(lambda name: not name.lower().startswith("charset")), WORD | QUOTED)
    | SPACE.map(";".__add__),
    max_size=4,
).map("".join)


@given(SPACE, st.sampled_from(["application/json", "Application/JSON"]), OTHER_PARAMETERS, SPACE)
def test_admits_any_case_and_any_other_parameter(before: str, media_type: str, more: str, after: str) -> None:
    assert is_json_in_utf8(before + media_type + more + after)


@given(OTHER_PARAMETERS, st.sampled_from(["utf-8", "UTF-8", '"utf-8"', '"\\utf-8"']), OTHER_PARAMETERS)
def test_admits_utf8_by_name(more: str, charset: str, yet_more: str) -> None:
    assert is_json_in_utf8(f"application/json{more}; Charset={charset}{yet_more}")


@given(
    OTHER_PARAMETERS,
    st.sampled_from(["charset", "CHARSET", "charset*", "charset*0", "charset*0*"]),
    (WORD | QUOTED).filter(lambda value: value.strip('"').lower() != "utf-8"),
    OTHER_PARAMETERS,
    st.booleans(),
)
def test_refuses_another_charset_wherever_it_is_named(
    more: str, name: str, charset: str, yet_more: str, utf8_too: bool
) -> None:
    parameters = f"{more}; {name}={charset}{yet_more}"

    assert not is_json_in_utf8("application/json" + parameters + ("; charset=utf-8" if utf8_too else ""))
    assert not is_json_in_utf8("application/json" + ("; charset=utf-8" if utf8_too else "") + parameters)


@given(st.text(max_size=100) | st.text('aA/;= \t"\\*0\u00e9charset', max_size=60).map("application/json".__add__))
def test_answers_for_any_text(content_type: str) -> None:
    assert is_json_in_utf8(content_type) in (True, False)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json5",
        "application/jso",
        "Xapplication/json",
        "application/json/x",
        "application/json, application/json",
        "application/json x",
        "application/json\u00a0",
        "application/json\n",
        "application/json; charset",
        "application/json; charset = utf-8",
        'application/json; charset="utf-8',
        'application/json; x="unclosed',
        'application/json; x="a"b',
    ],
)
def test_refuses_what_does_not_read_as_a_media_type(content_type: str) -> None:
    assert not is_json_in_utf8(content_type)


@pytest.mark.parametrize("piece", [" ", " ;", ";\t", '; a="\\\\', "; a=", '"', ";a*=b"])
def test_the_time_it_takes_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        is_json_in_utf8("application/json" + piece * length)
        return time.process_time() - start

    assert seconds(20_000) < 30 * max(seconds(2_000), 0.001)
