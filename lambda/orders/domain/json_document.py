"""Read bytes as one strict JSON document (RFC 8259); Python's json accepts more."""

import json
import re
from typing import Any, NoReturn

from orders.domain.errors import DocumentUnreadableError

MAX_DEPTH = 64

# The quantifier is possessive, and an unterminated string extends to the end of the text: matching takes linear time.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def read_json_document(body: bytes) -> Any:
    """Return the JSON document in `body`, as json.loads does.

    Raises DocumentUnreadableError with code INVALID_ENCODING (not UTF-8), INVALID_JSON (not one JSON document, or one
    with NaN, Infinity, an integer of over 4,300 digits, a lone surrogate or a byte order mark), DUPLICATE_KEY or
    NESTING_TOO_DEEP (more than 64 levels).
    """
    text = _decode(body)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _reject_depth(text)
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_reject_constant)
    except ValueError as error:  # JSONDecodeError, or an integer over the interpreter's digit limit
        raise DocumentUnreadableError("INVALID_JSON", "The body is not one valid JSON document.") from error
    if "\\u" in text:  # In valid UTF-8, only an escape can produce a surrogate.
        _reject_surrogates(document)
    return document


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise DocumentUnreadableError("INVALID_ENCODING", "The body is not valid UTF-8.") from error
    if "\N{REPLACEMENT CHARACTER}" in text:
        # Gateways and clients replace invalid UTF-8 with this character. No valid order contains it.
        raise DocumentUnreadableError(
            "INVALID_ENCODING", "The body was not valid UTF-8 before it was sent, or it contains U+FFFD."
        )
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DocumentUnreadableError("DUPLICATE_KEY", "The body contains an object with the same key twice.")
    return result


def _reject_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _reject_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub('""', text)):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise DocumentUnreadableError(
                "NESTING_TOO_DEEP", f"The body nests arrays or objects more than {MAX_DEPTH} levels deep."
            )


def _reject_surrogates(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DocumentUnreadableError(
            "INVALID_JSON", "The body contains an escaped lone surrogate, which is not a character."
        ) from error
