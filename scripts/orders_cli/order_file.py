"""A file of orders: JSON lines, or CSV with a header.

Each line is independent: an invalid one is reported and does not affect the others. A file of any size is read line by
line.
"""

import csv
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
from orders.domain.order import Order
from orders.domain.order_id import derived_order_id
from orders_cli.errors import OperatorError

COLUMNS = ("customer_id", "product_id", "quantity", "order_date")

# The API's limit for a body.
MAX_LINE_BYTES = 16 * 1024

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class OrderLine:
    """A line of the file. `order` and `order_id` are None if it is not a valid order, which the API then explains."""

    line: int
    body: bytes
    idempotency_key: str
    order: Order | None
    order_id: str | None


@dataclass(frozen=True)
class UnreadableLine:
    line: int
    reason: str


def read_orders(stream: BinaryIO, batch: str, secret: str) -> Iterator[OrderLine | UnreadableLine]:
    """Yield the lines of a file, without empty ones. Raises OperatorError if it is not a file of orders.

    The Idempotency-Key of a line is derived from `secret`, `batch`, the order and the number of equal lines before it.
    So the same file always states the same orders, even if lines were moved or corrected; two equal lines are two
    orders; and nobody without the secret can submit one of them first.
    """
    lines = _lines(stream)
    first = next(lines, None)
    if first is None:
        return
    number, text = first
    if text is None:
        raise OperatorError(f"The first line is over {MAX_LINE_BYTES} bytes: this is not a file of orders.")
    if text.startswith(_UTF16_BOMS):
        raise OperatorError("The file is in UTF-16: save it as UTF-8.")
    if text.startswith(b"["):
        raise OperatorError("The file is one JSON array: write one order a line instead (`jq -c '.[]'` does).")
    numbered = _Numbering(f"{secret}\0{batch}".encode())
    if text.startswith(b"{"):
        yield _from_json(number, text, numbered)
        for number, text in lines:
            yield _too_long(number) if text is None else _from_json(number, text, numbered)
        return
    header = _header(text)
    for number, text in lines:
        yield _too_long(number) if text is None else _from_csv(number, text, header, numbered)


def order_line(document: Any, key: str, *, number: int = 1, body: bytes | None = None) -> OrderLine:
    order = ORDER_RULES.validate(document) if ORDER_RULES.is_order(document) else None
    order_id = derived_order_id(order, key) if order else None
    return OrderLine(number, json.dumps(document).encode("ascii") if body is None else body, key, order, order_id)


class _Numbering:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seen: Counter[bytes] = Counter()

    def line(self, document: Any, number: int, body: bytes | None = None) -> OrderLine:
        digest = _digest(document)
        key = hmac.new(self._secret, f"{self._seen[digest]}\0".encode() + digest, hashlib.sha256).hexdigest()
        self._seen[digest] += 1
        return order_line(document, key, number=number, body=body)


def _from_json(number: int, text: bytes, numbering: _Numbering) -> OrderLine | UnreadableLine:
    try:
        document = read_json_document(text)
    except DocumentUnreadableError as error:
        return UnreadableLine(number, error.detail.replace("The body", "The line"))
    # The API validates the line as it stands.
    return numbering.line(document, number, text)


def _from_csv(
    number: int, text: bytes, header: tuple[Sequence[str], str], numbering: _Numbering
) -> OrderLine | UnreadableLine:
    columns, delimiter = header
    try:
        [fields] = csv.reader([text.decode("utf-8")], delimiter=delimiter, strict=True)
    except UnicodeDecodeError:
        return UnreadableLine(number, "The line is not valid UTF-8.")
    except (csv.Error, ValueError):
        return UnreadableLine(number, "The line is not valid CSV: check its quotation marks.")
    if len(fields) != len(columns):
        return UnreadableLine(number, f"The line has {len(fields)} fields and the header {len(columns)}.")
    return numbering.line(dict(zip(columns, fields, strict=True)), number)


def _digest(document: Any) -> bytes:
    if isinstance(document, dict) and type(document.get("quantity")) is int:
        document = {**document, "quantity": str(document["quantity"])}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode("ascii")).digest()


def _header(text: bytes) -> tuple[list[str], str]:
    """Return the columns that a CSV file's first line names, and its delimiter."""
    try:
        line = text.decode("utf-8")
    except UnicodeDecodeError:
        line = ""
    for delimiter in _DELIMITERS:
        columns = [column.strip().strip('"') for column in line.split(delimiter)]
        if sorted(columns) == sorted(COLUMNS):
            return columns, delimiter
        if len(columns) > 1 and set(columns) & set(COLUMNS):
            missing = [column for column in COLUMNS if column not in columns]
            more = len(columns) - len(set(columns) & set(COLUMNS))
            raise OperatorError(
                f"The file's header must name exactly the columns {', '.join(COLUMNS)}: "
                + " and ".join(
                    [*([f"{', '.join(missing)} missing"] if missing else []), *([f"{more} more"] if more else [])]
                )
                + "."
            )
    raise OperatorError(
        "The file holds no orders: its first line is neither a JSON object nor a CSV header that names "
        f"{', '.join(COLUMNS)}."
    )


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield number and content of each line that is not blank; None for one that is too long."""
    number = 0
    while part := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            part = part.removeprefix(_UTF8_BOM)
        if len(part) > MAX_LINE_BYTES and not part.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif content := part.strip(b" \t\r\n"):
            yield number, content


def _too_long(line: int) -> UnreadableLine:
    return UnreadableLine(line, f"The line is over {MAX_LINE_BYTES} bytes.")
