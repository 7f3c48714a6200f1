"""Moments in time as the system writes them."""

import re
from datetime import UTC, datetime

_RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def format_timestamp(moment: datetime) -> str:
    """Write an aware `moment` as RFC 3339 in UTC, always with milliseconds.

    The fixed width makes the order of the strings the order in time, which the table's index by
    customer and submission time relies on.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_timestamp(text: str) -> bool:
    """Tell whether `text` is a moment as `format_timestamp` writes it."""
    if not _RFC3339_UTC.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
