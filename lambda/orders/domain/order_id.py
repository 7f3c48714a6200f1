"""Order ids that tell by themselves whether this system issued them.

An id is a UUID of version 8 (RFC 9562, section 5.8: the layout is the application's own). Its first
96 bits, less the six that name version and variant, are random or derived from a customer and an
idempotency key; its last 32 bits are the CRC-32 of those 96. So a stateless intake recognises its
own ids: a mistyped id costs no read of the table, and an id that was answered with 202 never gets a
404 while the order is still on its way.

The checksum is no secret and guards against mistakes, not against people: whoever forges an id only
reaches an order that does not exist.
"""

import hashlib
import re
import uuid
import zlib

from orders.domain.errors import IdempotencyKeyInvalidError

RANDOM_BYTES = 12

_UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def random_order_id(randomness: bytes) -> str:
    """Make an order id from 12 random bytes, of which 90 bits are used."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"an order id is made from {RANDOM_BYTES} random bytes")
    return _seal(randomness)


def derived_order_id(customer_id: str, idempotency_key: str) -> str:
    """Derive the one order id that belongs to a customer's idempotency key.

    Raises IdempotencyKeyInvalidError unless the key is 1 to 255 visible ASCII characters.
    """
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise IdempotencyKeyInvalidError
    # Neither a customer id nor a key can hold a NUL, so no two pairs read the same.
    seed = f"{customer_id}\0{idempotency_key}".encode("ascii")
    return _seal(hashlib.sha256(seed).digest()[:RANDOM_BYTES])


def parse_order_id(text: str) -> str | None:
    """Return the order id that `text` spells, in lower case, or None if this system never issued it."""
    # RFC 9562, section 4: hexadecimal digits are read in either case.
    canonical = text.lower()
    if not _UUID_TEXT.fullmatch(canonical):
        return None
    return canonical if _seal(uuid.UUID(canonical).bytes[:RANDOM_BYTES]) == canonical else None


def _seal(seed: bytes) -> str:
    head = bytearray(seed)
    head[6] = 0x80 | (head[6] & 0x0F)  # version 8
    head[8] = 0x80 | (head[8] & 0x3F)  # variant 10
    return str(uuid.UUID(bytes=bytes(head) + zlib.crc32(head).to_bytes(4, "big")))
