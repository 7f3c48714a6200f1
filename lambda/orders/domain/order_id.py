"""Order ids that show whether this system issued them.

An id is a UUID of version 8 (RFC 9562, section 5.8: the application defines the layout). Its first 96 bits, except six
for version and variant, are random or derived from an order and its idempotency key. Its last 32 bits are the CRC-32 of
those 96. So the API recognizes its own ids without a table read: a mistyped id returns 404, and an accepted id never
returns 404 while the order is pending.

The checksum detects mistakes, not attacks: a forged id only names an order that does not exist.
"""

import hashlib
import json
import re
import uuid
import zlib

from orders.domain.errors import IdempotencyKeyInvalidError
from orders.domain.order import Order

RANDOM_BYTES = 12

_UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def random_order_id(randomness: bytes) -> str:
    """Return an order id made from 12 random bytes, of which 90 bits are used."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"an order id is made from {RANDOM_BYTES} random bytes")
    return _with_checksum(randomness)


def derived_order_id(order: Order, idempotency_key: str) -> str:
    """Return the order id of this order with this idempotency key.

    The id also depends on the content, so nobody can block or replace another order by guessing its key. Raises
    IdempotencyKeyInvalidError unless the key is 1 to 255 visible ASCII characters.
    """
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise IdempotencyKeyInvalidError
    # JSON is unambiguous: two different lists never have the same text.
    values = [idempotency_key, order.customer_id, order.product_id, order.quantity, order.order_date]
    return _with_checksum(hashlib.sha256(json.dumps(values).encode("ascii")).digest()[:RANDOM_BYTES])


def parse_order_id(text: str) -> str | None:
    """Return the order id in `text`, in lower case, or None if this system never issued it."""
    # RFC 9562, section 4: hexadecimal digits are accepted in either case.
    canonical = text.lower()
    if not _UUID_TEXT.fullmatch(canonical):
        return None
    return canonical if _with_checksum(uuid.UUID(canonical).bytes[:RANDOM_BYTES]) == canonical else None


def _with_checksum(seed: bytes) -> str:
    head = bytearray(seed)
    head[6] = 0x80 | (head[6] & 0x0F)  # version 8
    head[8] = 0x80 | (head[8] & 0x3F)  # variant 10
    return str(uuid.UUID(bytes=bytes(head) + zlib.crc32(head).to_bytes(4, "big")))
