"""A file of orders: JSON lines, or CSV with a header.

Each line stands for itself: one that cannot be read says so and leaves its neighbours alone. Whether it is an order is
for the API to say, by the one schema. A file of any size is read line by line.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
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
    """An order as a file states it; `order_id` is what the API will derive, None where it cannot be an order."""

    line: int
    body: bytes
    idempotency_key: str
    order_id: str | None


@dataclass(frozen=True)
class UnreadableLine:
    """A line that cannot be read; `reason` repeats nothing of it."""

    line: int
    reason: str


def read_orders(stream: BinaryIO, batch: str) -> Iterator[OrderLine | UnreadableLine]:
    """Yield what each line of a file states, its empty lines left out.

    The Idempotency-Key of a line is derived from `batch`, the order it states and how many equal ones came before. So
    the same file, read again under the same batch, states the same orders, however its lines were moved about and
    whatever was mended in others; and of two equal lines each is an order. Raises OperatorError where the file as a
    whole is not one of orders.
    """
    lines = _lines(stream)
    first = next(lines, None)
    if first is None:
        return
    number, text = first
    if text is None:
        raise OperatorError(f"The first line is over {MAX_LINE_BYTES} bytes: this is no file of orders.")
    if text.startswith(_UTF16_BOMS):
        raise OperatorError("The file is in UTF-16: save it as UTF-8.")
    if text.startswith(b"["):
        raise OperatorError("The file is one JSON array: write one order a line instead (`jq -c '.[]'` does).")
    seen: Counter[bytes] = Counter()
    if text.startswith(b"{"):
        yield _from_json(number, text, batch, seen)
        for number, text in lines:
            yield _too_long(number) if text is None else _from_json(number, text, batch, seen)
        return
    header = _header(text)
    for number, text in lines:
        yield _too_long(number) if text is None else _from_csv(number, text, header, batch, seen)


def order_line(
    document: Any, batch: str, *, line: int = 1, body: bytes | None = None, equal_before: int = 0
) -> OrderLine:
    """Return the order that a JSON document states, under its key in `batch`."""
    key = hashlib.sha256(f"{batch}\0{equal_before}\0".encode() + _digest(document)).hexdigest()
    return OrderLine(
        line,
        json.dumps(document).encode("ascii") if body is None else body,
        key,
        derived_order_id(ORDER_RULES.validate(document), key) if ORDER_RULES.is_order(document) else None,
    )


def _from_json(line: int, text: bytes, batch: str, seen: Counter[bytes]) -> OrderLine | UnreadableLine:
    try:
        document = read_json_document(text)
    except DocumentUnreadableError as error:
        return UnreadableLine(line, error.detail.replace("The body", "The line"))
    # As it stands in the file: that is what the API is to judge.
    return _numbered(document, line, text, batch, seen)


def _from_csv(
    line: int, text: bytes, header: tuple[Sequence[str], str], batch: str, seen: Counter[bytes]
) -> OrderLine | UnreadableLine:
    columns, delimiter = header
    try:
        [fields] = csv.reader([text.decode("utf-8")], delimiter=delimiter, strict=True)
    except UnicodeDecodeError:
        return UnreadableLine(line, "The line is not valid UTF-8.")
    except (csv.Error, ValueError):
        return UnreadableLine(line, "The line is not valid CSV: look at its quotation marks.")
    if len(fields) != len(columns):
        return UnreadableLine(line, f"The line has {len(fields)} fields where the header has {len(columns)}.")
    return _numbered(dict(zip(columns, fields, strict=True)), line, None, batch, seen)


def _numbered(document: Any, line: int, body: bytes | None, batch: str, seen: Counter[bytes]) -> OrderLine:
    digest = _digest(document)
    equal_before = seen[digest]
    seen[digest] += 1
    return order_line(document, batch, line=line, body=body, equal_before=equal_before)


def _digest(document: Any) -> bytes:
    """Return what is equal for equal orders, in whichever format and order of fields they are written."""
    if isinstance(document, dict) and type(document.get("quantity")) is int:
        document = {**document, "quantity": str(document["quantity"])}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode("ascii")).digest()


def _header(text: bytes) -> tuple[list[str], str]:
    """Return the columns that a CSV file's first line names, and what separates them."""
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
    """Yield number and content of each line that is not blank; None for one that no order needs."""
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
