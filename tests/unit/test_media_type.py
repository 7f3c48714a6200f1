"""Recognition of a Content-Type of JSON in UTF-8, by HTTP's grammar."""

import time

import pytest

from orders.handlers.http import is_json_in_utf8


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", " \tApplication/JSON \t", "application/json; charset=utf-8"),
        *('application/json;charset="UTF-8"', 'application/json\t ; Charset="\\utf-8"; charset=utf-8'),
        *('application/json; profile="a;charset=latin1\\""', "application/json ; version=1 ;; ;"),
        "application/json; x=y; charset=utf-8; z=1",
    ],
)
def test_json_in_utf8_is_accepted_with_any_case_and_other_parameters(content_type: str) -> None:
    assert is_json_in_utf8(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "json", "text/plain", "application/json5", "application/jso", "application/problem+json"),
        *("*/*", "application/*", "application/ld+json", "application/json, text/plain"),
        "\u00ef\u00bb\u00bfapplication/json",
        *("Xapplication/json", "application/json/x", "application/json, application/json", "application/json x"),
        *("application/json\u00a0", "application/json\n"),
        *(
            f"application/json; {parameters}"
            for parameters in (
                *("charset", "charset=", "charset = utf-8", "charset=latin-1", "charset=utf-8; CHARSET=latin-1"),
                *('charset=""', "charset=utf8", "charset='utf-8'", "charset=us-ascii"),
                "charset=utf-8, application/json",
                *("charset=latin-1; charset=utf-8", "charset*=utf-16''x", 'charset="utf-8', 'x="unclosed', 'x="a"b'),
                # The standard library's e-mail header parser raises TypeError or ValueError for these.
                *("charset*=utf-8''x; charset*0=utf-8", "charset*" + "9" * 5000 + "=utf-16"),
            )
        ),
    ],
    ids=lambda text: text[:60],
)
def test_other_type_or_charset_or_invalid_syntax_is_rejected(content_type: str) -> None:
    assert not is_json_in_utf8(content_type)


@pytest.mark.parametrize("piece", [" ", " ;", ";\t", '; a="\\\\', "; a=", '"', ";a*=b"])
def test_parsing_time_is_not_quadratic(piece: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        is_json_in_utf8("application/json" + piece * length)
        return time.process_time() - start

    assert seconds(20_000) < 30 * max(seconds(2_000), 0.001)
