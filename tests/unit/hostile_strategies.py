"""What Hypothesis makes of orders, JSON and text, so that much of it is nearly right."""

import json
import math
from typing import Any

from hypothesis import strategies as st

from support.sample_orders import order_document

# Letters that rules admit, and those that a careless rule admits too: other scripts' digits, what looks or sorts like an
# ASCII letter, what is invisible, and what ends a line.
_TELLING = 'aZ09._- /~"\\\n\r\t\0\x7f\u00a0é٠１²Аｑ\u0301\u200d\u202e\u2028\ufeff\ufffd\N{BANANA}'

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-1, 10_001)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(0, 10_000).map(float)
)
TEXT = st.text(_TELLING, max_size=8) | st.text(st.characters(exclude_categories=["Cs"]), max_size=130)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

UNWRITABLE_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 1) | st.sampled_from(["a", "\ud800", "\udc00\ud83d", "b\udfff", math.nan, math.inf, -math.inf]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "\ud800"]), inner, max_size=2),
    max_leaves=4,
)
"""Values of which Python's json makes what no JSON is."""

EDGES: dict[str, list[Any]] = {
    "customer_id": [
        *(
            "a",
            "0",
            "Z._-9",
            "c" * 64,
            "c" * 65,
            "",
            "001\n",
            ".a",
            "a.",
            "a b",
            "a,b",
            "é",
            "\u0660",
            1,
            None,
            ["001"],
        ),
    ],
    "product_id": [
        *("x", "-._", "Granny Smith 2.0_b-c", "p" * 128, "p" * 129, "", " ", "a ", " a", "x\n", "a\tb", "<b>", {}),
    ],
    "quantity": [
        *(0, 1, 9999, 10_000, -1, 1.0, 9999.0, 1e3, True, None),
        *("", "0", "1", "9999", "10000", "01", "1\n", "9999\n", "１", "1.0", "1e3", "+1", " 1 ", "one"),
    ],
    "order_date": [
        *("0000-12-31", "0001-01-01", "9999-12-31", "2024-02-29", "2025-02-29", "1900-02-29", "2025-04-25\n"),
        *("2026-02-30", "2025-13-01", "2025-4-5", "20250425", "2025-W17-5", "2025-04-25T00:00:00Z", "２０２５-04-25"),
        20250425,
    ],
}
"""Values at the edge of each field's rule, on both sides of it."""


@st.composite
def near_orders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the sample order with one or more of its fields replaced or left out, or others put to them."""
    document = order_document()
    names = st.lists(st.sampled_from(sorted(EDGES)), unique=True, min_size=1, max_size=draw(st.sampled_from([1, 4])))
    for name in draw(names):
        match draw(st.sampled_from(["near", "near", "near", "any", "without"])):
            case "near":
                document[name] = draw(st.sampled_from(EDGES[name]))
            case "any":
                document[name] = draw(JSON_VALUES)
            case "without":
                del document[name]
    if draw(st.integers(0, 4)) == 0:
        document |= draw(st.dictionaries(TEXT, JSON_VALUES, max_size=2))
    return document


NESTED = st.integers(62, 67).flatmap(
    lambda levels: st.sampled_from(
        [
            "[" * levels + "]" * levels,
            "[" * levels,
            '{"[":' * levels + "0" + "}" * levels,
            '["]", ' * levels + "]" * levels,
        ]
    )
)
"""JSON about as deep as is admitted, closed and not."""


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """Draw a text in UTF-8 and damage it: bytes put in, taken away, doubled or changed."""
    body = bytearray(draw(texts).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 6)))
        body[start:end] = draw(
            st.sampled_from(
                [
                    *(
                        b"",
                        bytes(body[start:end]) * 2,
                        b'"',
                        b"\\",
                        b"\\u",
                        b"\\ud800",
                        b"\\u0061",
                        b"[" * 70,
                        b"]",
                        b"{",
                    ),
                    *(b"}", b",", b":", b"NaN", b"-Infinity", b"0", b"1e400", b".", b"\n", b"\xef\xbb\xbf", b"\xff"),
                    *(b"\xed\xa0\x80", "\ufffd".encode(), b"9" * 4301),
                ]
            )
            | st.binary(max_size=3)
        )
    return bytes(body)


def json_texts(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Draw values as JSON, in one of the ways in which it can be written."""
    return st.builds(
        json.dumps,
        values,
        ensure_ascii=st.booleans(),
        indent=st.sampled_from([None, None, 1]),
        separators=st.sampled_from([None, (",", ":")]),
    )
