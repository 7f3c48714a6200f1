"""Order ids with a checksum."""

import uuid
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.errors import IdempotencyKeyInvalidError
from orders.domain.order import Order
from orders.domain.order_id import derived_order_id, parse_order_id, random_order_id
from support.sample_orders import SAMPLE_ORDER

RANDOMNESS = st.binary(min_size=12, max_size=12)


@given(RANDOMNESS)
def test_issued_id_is_a_uuid_of_version_8_and_recognized_in_either_case(randomness: bytes) -> None:
    order_id = random_order_id(randomness)

    parsed = uuid.UUID(order_id)
    assert (str(parsed), parsed.version, parsed.variant) == (order_id, 8, uuid.RFC_4122)
    assert parse_order_id(order_id) == parse_order_id(order_id.upper()) == order_id


@given(RANDOMNESS, st.data())
def test_mistyped_id_is_rejected(randomness: bytes, data: st.DataObject) -> None:
    order_id = random_order_id(randomness)
    place = data.draw(st.sampled_from([i for i, digit in enumerate(order_id) if digit != "-"]))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789abcdef" if digit != order_id[place]]))

    assert parse_order_id(order_id[:place] + wrong + order_id[place + 1 :]) is None

    place = data.draw(st.integers(0, len(order_id) - 2))
    swapped = order_id[:place] + order_id[place + 1] + order_id[place] + order_id[place + 2 :]

    assert (parse_order_id(swapped) is None) == (swapped != order_id)


ISSUED = random_order_id(bytes(12))


def with_checksum(text: str) -> str:
    """Return a UUID with its last 32 bits replaced by the checksum of the others."""
    head = uuid.UUID(text).bytes[:12]
    return str(uuid.UUID(bytes=head + zlib.crc32(head).to_bytes(4, "big")))


def test_checksum_is_the_crc_of_the_other_bits() -> None:
    assert with_checksum(ISSUED) == ISSUED


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "null", "{}", "..", "a" * 10_000, str(uuid.UUID(int=0)), str(uuid.uuid5(uuid.NAMESPACE_DNS, "x"))),
        *(ISSUED.replace("-", ""), "{" + ISSUED + "}", "urn:uuid:" + ISSUED, ISSUED + "\n", " " + ISSUED),
        ISSUED.translate({ord("0"): "\N{FULLWIDTH DIGIT ZERO}"}),
        # Another version and another variant, with valid checksums.
        *map(with_checksum, (ISSUED[:14] + "4" + ISSUED[15:], ISSUED[:19] + "c" + ISSUED[20:])),
    ],
)
def test_text_that_is_not_an_order_id_is_rejected(text: str) -> None:
    assert parse_order_id(text) is None


def test_randomness_of_another_length_is_rejected() -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        random_order_id(bytes(11))


# If the derivation changed, a retry after the change would create a second order. The bits next to version and variant
# are set in one id and clear in the other.
@pytest.mark.parametrize(
    ("order", "key", "order_id"),
    [
        (SAMPLE_ORDER, "key-1", "1fbb20da-82d8-858d-be46-fcf72bd4ba4a"),
        (Order("c.2", "Blood orange", 9999, "0001-01-01"), "key-239", "955d5002-376e-8a00-812c-831950bc5a7e"),
    ],
)
def test_order_and_key_always_give_the_same_id(order: Order, key: str, order_id: str) -> None:
    assert derived_order_id(order, key) == order_id
    assert parse_order_id(order_id) == order_id


def test_another_customer_key_or_content_gives_another_id() -> None:
    values = [("001", "key"), ("002", "key"), ("001", "yek"), ("001k", "ey"), ("00", "1key"), ("001", 'key","')]
    ids = {derived_order_id(replace(SAMPLE_ORDER, customer_id=customer_id), key) for customer_id, key in values}
    changes: list[dict[str, Any]] = [{"product_id": "Pear"}, {"quantity": 2}, {"order_date": "2025-04-26"}]
    ids |= {derived_order_id(replace(SAMPLE_ORDER, **change), "key") for change in changes}

    assert len(ids) == len(values) + len(changes)


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "a\n", "\x7f", "\x00", "é", "１"])
def test_key_is_rejected_unless_it_is_1_to_255_visible_ascii_characters(key: str) -> None:
    assert all(derived_order_id(SAMPLE_ORDER, valid) for valid in ("!", "~", "k" * 255, "3f0c9b8e-1,2;\"'<>"))
    with pytest.raises(IdempotencyKeyInvalidError):
        derived_order_id(SAMPLE_ORDER, key)
