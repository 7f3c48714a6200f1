"""Timestamps as the system writes and reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orders.domain.order import format_timestamp, is_timestamp


def test_a_timestamp_is_in_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))

    assert format_timestamp(datetime(2025, 4, 25, 1, 2, 3, tzinfo=east)) == "2025-04-24T23:02:03.000Z"
    assert format_timestamp(datetime(2025, 4, 25, 1, 2, 3, 456789, tzinfo=UTC)) == "2025-04-25T01:02:03.456Z"
    assert is_timestamp("2025-04-25T01:02:03.456Z")


@pytest.mark.parametrize(
    "text",
    ["", "2025-04-25", "2025-04-25T01:02:03Z", "2025-04-25T01:02:03.000+00:00", "2025-02-30T01:02:03.000Z"],
)
def test_other_text_is_not_a_timestamp(text: str) -> None:
    assert not is_timestamp(text)
    assert not is_timestamp("2025-04-25T01:02:03.000Z\n")
