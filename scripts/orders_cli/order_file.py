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
from typing import BinaryIO

from orders.domain.errors import DocumentUnreadableError
from orders.domain.json_document import read_json_document
from orders_cli.errors import OperatorError

COLUMNS = ("customer_id", "product_id", "quantity", "order_date")

_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class OrderLine:
    """A line of the file. `unreadable` is the reason why it cannot be sent."""

    line: int
    body: bytes = b""
    idempotency_key: str = ""
    unreadable: str | None = None


def read_orders(stream: BinaryIO, batch: str, secret: str) -> Iterator[OrderLine]:
    """Yield the non-empty lines of a file. Raises OperatorError if it is not a file of orders.

    The Idempotency-Key of a line is derived from `secret`, `batch`, the order and the number of equal lines before it.
    So the same file always means the same orders, even after lines were moved or corrected. Two equal lines are two
    orders. Nobody without the secret can use one of the keys first.
    """
    texts = (line.removeprefix(_UTF8_BOM).strip(b" \t\r\n") for line in stream)
    lines = ((number, text) for number, text in enumerate(texts, start=1) if text)
    header: tuple[Sequence[str], str] | None = None
    equal_lines, key = Counter[bytes](), f"{secret}\0{batch}".encode()
    for place, (number, text) in enumerate(lines):
        if place == 0 and not text.startswith(b"{"):
            header = _header(text)
            continue
        try:
            document = read_json_document(text) if header is None else _read_row(text, *header)
        except DocumentUnreadableError as error:
            yield OrderLine(number, unreadable=error.detail.replace("The body", "The line"))
            continue
        content = document
        if isinstance(document, dict) and type(document.get("quantity")) is int:
            content = {**document, "quantity": str(document["quantity"])}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).digest()
        line_key = hmac.new(key, f"{equal_lines[digest]}\0".encode() + digest, hashlib.sha256).hexdigest()
        equal_lines[digest] += 1
        # A JSON line is sent unchanged: the API validates it.
        yield OrderLine(number, text if header is None else json.dumps(document).encode("ascii"), line_key)


def _read_row(text: bytes, columns: Sequence[str], delimiter: str) -> dict[str, str]:
    try:
        [fields] = csv.reader([text.decode("utf-8")], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        reason = "The line is not valid CSV in UTF-8: check its quotation marks and encoding."
        raise DocumentUnreadableError("INVALID_CSV", reason) from error
    if len(fields) != len(columns):
        reason = f"The line has {len(fields)} fields and the header {len(columns)}."
        raise DocumentUnreadableError("INVALID_CSV", reason)
    return dict(zip(columns, fields, strict=True))


def _header(text: bytes) -> tuple[list[str], str]:
    """Return the columns that a CSV file's first line names, and its delimiter."""
    line = text.decode("utf-8", errors="replace")
    for delimiter in (",", ";", "\t"):
        columns = [column.strip().strip('"') for column in line.split(delimiter)]
        if sorted(columns) == sorted(COLUMNS):
            return columns, delimiter
    raise OperatorError(
        "This is not a file of orders: its first line must be a JSON object, or a CSV header with exactly the columns "
        f"{', '.join(COLUMNS)}, in UTF-8. To write a JSON array as lines, use `jq -c '.[]'`."
    )
