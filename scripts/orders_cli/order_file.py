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
from orders_cli.errors import OperatorError

COLUMNS = ("customer_id", "product_id", "quantity", "order_date")

_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class OrderLine:
    """A line of the file. If `is_valid` is false, the API returns the errors.

    `unreadable` is the reason why the line cannot be sent.
    """

    line: int
    body: bytes = b""
    idempotency_key: str = ""
    is_valid: bool = False
    unreadable: str | None = None


def read_orders(stream: BinaryIO, batch: str, secret: str) -> Iterator[OrderLine]:
    """Yield the non-empty lines of a file. Raises OperatorError if it is not a file of orders.

    The Idempotency-Key of a line is derived from `secret`, `batch`, the order and the number of equal lines before it.
    So the same file always means the same orders, even after lines were moved or corrected. Two equal lines are two
    orders. Nobody without the secret can use one of the keys first.
    """
    texts = ((number, line.removeprefix(_UTF8_BOM).strip(b" \t\r\n")) for number, line in enumerate(stream, start=1))
    lines = ((number, text) for number, text in texts if text)
    numbering = _Numbering(f"{secret}\0{batch}".encode())
    header = None
    for number, text in lines:
        if header is None and text.startswith(b"{"):
            yield _from_json(number, text, numbering)
            yield from (_from_json(number, text, numbering) for number, text in lines)
        elif header is None:
            header = _header(text)
        else:
            yield _from_csv(number, text, header, numbering)


def order_line(document: Any, key: str, *, number: int = 1, body: bytes | None = None) -> OrderLine:
    body = json.dumps(document).encode("ascii") if body is None else body
    return OrderLine(number, body, key, ORDER_RULES.is_order(document))


class _Numbering:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seen: Counter[bytes] = Counter()

    def line(self, document: Any, number: int, body: bytes | None = None) -> OrderLine:
        content = document
        if isinstance(document, dict) and type(document.get("quantity")) is int:
            content = {**document, "quantity": str(document["quantity"])}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).digest()
        key = hmac.new(self._secret, f"{self._seen[digest]}\0".encode() + digest, hashlib.sha256).hexdigest()
        self._seen[digest] += 1
        return order_line(document, key, number=number, body=body)


def _from_json(number: int, text: bytes, numbering: _Numbering) -> OrderLine:
    try:
        document = read_json_document(text)
    except DocumentUnreadableError as error:
        return OrderLine(number, unreadable=error.detail.replace("The body", "The line"))
    # Send the line unchanged: the API validates it.
    return numbering.line(document, number, text)


def _from_csv(number: int, text: bytes, header: tuple[Sequence[str], str], numbering: _Numbering) -> OrderLine:
    columns, delimiter = header
    try:
        [fields] = csv.reader([text.decode("utf-8")], delimiter=delimiter, strict=True)
    except UnicodeDecodeError:
        return OrderLine(number, unreadable="The line is not valid UTF-8.")
    except (csv.Error, ValueError):
        return OrderLine(number, unreadable="The line is not valid CSV: check its quotation marks.")
    if len(fields) != len(columns):
        return OrderLine(number, unreadable=f"The line has {len(fields)} fields and the header {len(columns)}.")
    return numbering.line(dict(zip(columns, fields, strict=True)), number)


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
