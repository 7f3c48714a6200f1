"""Files of orders, in the formats that people and programs write."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_cli.errors import OperatorError
from orders_cli.order_file import OrderLine, read_orders
from support.sample_orders import order_document

HEADER = b"customer_id,product_id,quantity,order_date"
ROW = b"001,Banana,1,2025-04-25"
JSON = json.dumps(order_document()).encode()


def read(text: bytes, batch: str = "batch", secret: str = "secret") -> list[OrderLine]:
    return list(read_orders(io.BytesIO(text), batch, secret))


def keys(text: bytes, *names: str) -> list[str]:
    return [line.idempotency_key for line in read(text, *names)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n  \n"])
@pytest.mark.parametrize(
    "lines",
    [
        [HEADER, ROW],
        [HEADER.replace(b",", b";"), ROW.replace(b",", b";")],
        [HEADER.replace(b",", b"\t"), ROW.replace(b",", b"\t")],
        [b'"customer_id","product_id","quantity","order_date"', b'"001","Banana","1","2025-04-25"'],
        [b"order_date,quantity,product_id,customer_id", b"2025-04-25,1,Banana,001"],
        [b"", JSON],
    ],
    ids=["commas", "semicolons", "tabs", "quoted", "other order of columns", "JSON"],
)
def test_all_formats_describe_the_same_order(lines: list[bytes], end: bytes, bom: bytes, last: bytes) -> None:
    [line] = read(bom + end.join(lines) + last)
    assert json.loads(line.body) == order_document()
    assert line.line == 2
    assert [line.idempotency_key] == keys(JSON)


@pytest.mark.parametrize(
    ("valid", "invalid", "reason"),
    [
        (ROW, b"001,Banana,1", "has 3 fields and the header 4"),
        (ROW, b'001,"Banana,1,2025-04-25', "not valid CSV"),
        (ROW, b"001,\xff,1,2025-04-25", "not valid CSV in UTF-8"),
        (JSON, b'{"customer_id": ', "not one valid JSON document"),
        (JSON, b'{"quantity": NaN}', "not one valid JSON document"),
        (JSON, b"\xff", "not valid UTF-8"),
        (JSON, HEADER, "not one valid JSON document"),
    ],
)
def test_invalid_line_does_not_affect_other_lines(valid: bytes, invalid: bytes, reason: str) -> None:
    header = [HEADER] if valid == ROW else [JSON]
    [*_, before, line, after] = read(b"\n".join([*header, valid, invalid, valid]))
    assert reason in (line.unreadable or "")
    assert (before.line, line.line, after.line) == (2, 3, 4)
    assert before.body == after.body
    assert json.loads(after.body) == order_document()


def test_json_line_is_sent_even_if_it_is_not_a_valid_order() -> None:
    lines = read(b'{}\n[]\n"text"\n1\n{"customer_id": 5}\n{"customer_id": "\xc3\xa4"}')
    assert [line.unreadable for line in lines] == [None] * 6


@pytest.mark.parametrize(
    "text",
    [
        b"[\n" + JSON + b"\n]",
        "customer_id".encode("utf-16"),
        b"hello",
        b"\x00" * 20_000,
        b"customer_id,product_id,quantity",
        HEADER + b",note",
        HEADER + b",quantity",
    ],
)
def test_file_without_orders_is_rejected(text: bytes) -> None:
    with pytest.raises(OperatorError, match="This is not a file of orders: its first line must be"):
        read(text)


def test_keys_are_equal_for_the_same_file_batch_and_table() -> None:
    text = b"\n".join([HEADER, ROW, ROW])
    assert keys(text) == keys(text)
    assert len(set(keys(text))) == 2, "two equal lines are two orders"
    assert not set(keys(text)) & set(keys(text, "another"))
    assert not set(keys(text)) & set(keys(text, "batch", "another table"))


def test_keys_ignore_the_type_of_quantity() -> None:
    assert keys(json.dumps(order_document(quantity=1)).encode()) == keys(JSON)
    assert keys(json.dumps(order_document(quantity=True)).encode()) != keys(JSON)


def test_correcting_a_line_keeps_the_other_keys() -> None:
    broken = keys(b"\n".join([HEADER, ROW, b"002,Pear,0,2025-04-25", b"003,Pear,1,2025-04-25"]))
    corrected = keys(b"\n".join([HEADER, b"002,Pear,1,2025-04-25", ROW, b"", b"003,Pear,1,2025-04-25"]))
    assert broken[0] == corrected[1]
    assert broken[2] == corrected[2]
    assert broken[1] not in corrected


@given(st.binary(max_size=300))
def test_any_bytes_give_lines_or_an_error(text: bytes) -> None:
    try:
        lines = read(text)
    except OperatorError:
        return
    assert all(line.line > 0 for line in lines)
