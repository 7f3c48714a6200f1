"""Hypothesis strategies for orders, JSON and text that are almost valid."""

import json
from typing import Any

from hypothesis import strategies as st

from support.sample_orders import order_document

# Characters that the rules accept, and characters that incorrect rules would accept: digits of other scripts,
# look-alikes of ASCII letters, invisible characters, and line ends.
_NEAR_CHARACTERS = 'aZ09._- /~"\\\n\r\t\0\x7f\u00a0é٠１²Аｑ\u0301\u200d\u202e\u2028\ufeff\ufffd\N{BANANA}'

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-1, 10_001)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(0, 10_000).map(float)
)
TEXT = st.text(_NEAR_CHARACTERS, max_size=8) | st.text(st.characters(exclude_categories=["Cs"]), max_size=130)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

_ANY_INVALID: list[Any] = [True, False, None, [], {}, ["1"], {"value": "1"}]
VALID: dict[str, list[Any]] = {
    "customer_id": ["a", "0", "Z._-9", "a.", "null", "constructor", "c" * 64],
    "product_id": ["x", "-._", "Granny  Smith 2.0_b-c", "__proto__", "hasOwnProperty", "1e999", "p" * 128],
    "quantity": [1, 9999, "1", "9999"],
    "order_date": ["0001-01-01", "2000-02-29", "2024-02-29", "9999-12-31"],
}
INVALID: dict[str, list[Any]] = {
    # test_validation.py tests every character.
    "customer_id": [
        *("", " ", "c" * 65, "c" * 10_000, "a b", ".a", "__proto__", "../../etc/passwd", "1' OR '1'='1", 1),
        *("001\n", "001\r", "001\0", "００１", "\u0430001", "e\u0301", "a\u202eb", *_ANY_INVALID),
    ],
    "product_id": [
        *("", " ", "p" * 129, " Banana", "Banana ", "Banana\n", "Ban\tana", "Granny\u00a0Smith", "=1+1", 1),
        *("Banane\u0301", "\u202eananaB", "<script>alert(1)</script>", *_ANY_INVALID),
    ],
    "quantity": [
        *(0, -1, 10_000, 2**64, 1.0, 9999.0, 1e3, 0.5, 1e-300, 10**4299),
        *("", "0", "00", "01", "+1", "-1", " 1", "1 ", "1.", ".1", "1.0", "1e3", "10000", "0x1", "1_0", "1,0", "one"),
        *("１", "\u0661", "\u0967", "²", "1\n", "9999\n", "1\0", "\u202e1", *_ANY_INVALID),
    ],
    "order_date": [
        *("2026-02-30", "2025-02-29", "1900-02-29", "0000-01-01", "2025-00-10", "2025-13-01", "2025-04-00"),
        "2025-04-31",
        *("2025-W17-5", "2025W175", "2025-115", "20250425", "2025-4-25", "25-04-25", "12025-04-25", "+2025-04-25"),
        *("2025/04/25", "2025–04–25", "2025-04-25T00:00:00Z", " 2025-04-25", "2025-04-25\n", "2025-04-25\0"),
        *("２０２５-04-25", "\u0662\u0660\u0662\u0665-\u0660\u0664-\u0662\u0665", "today", "", 20250425, *_ANY_INVALID),
    ],
}
EDGES = {name: VALID[name] + INVALID[name] for name in VALID}
"""Values just inside and just outside the limits of each field."""


@st.composite
def near_orders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the sample order with fields replaced, removed or added."""
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
"""JSON near the maximum depth, with or without closing brackets."""

_DAMAGE = [
    *(b'"', b"\\", b"\\u", b"\\ud800", b"\\u0061", b"[" * 70, b"]", b"{", b"}", b",", b":", b"NaN", b"-Infinity", b"0"),
    *(b"1e400", b".", b"\n", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", "\ufffd".encode(), b"9" * 4301),
]


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """Draw a text in UTF-8 with bytes inserted, removed, doubled or changed."""
    body = bytearray(draw(texts).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 6)))
        doubled = bytes(body[start:end]) * 2
        body[start:end] = draw(st.sampled_from([b"", doubled, *_DAMAGE]) | st.binary(max_size=3))
    return bytes(body)


def json_texts(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Draw values as JSON, in different spellings."""
    return st.builds(
        json.dumps,
        values,
        ensure_ascii=st.booleans(),
        indent=st.sampled_from([None, None, 1]),
        separators=st.sampled_from([None, (",", ":")]),
    )
