"""How long the page waits before it asks again."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def pace(in_page: Callable[..., Any]) -> Callable[[str], Any]:
    """Evaluate an expression over the page's own functions."""
    return lambda expression: in_page(f"import('/pace.js').then((pace) => {expression})")


def test_retries_come_at_doubling_intervals_up_to_half_a_minute(pace: Callable[[str], Any]) -> None:
    waits = pace("[1, 2, 3, 4, 5, 6, 7].map((tries) => pace.retryDelay(tries, null))")
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_looks_at_an_order_come_ever_less_often_up_to_half_a_minute(pace: Callable[[str], Any]) -> None:
    waits = pace("Array.from({ length: 40 }, (_, index) => pace.pollDelay(index + 1, null))")
    assert waits[0] == 1
    assert waits == sorted(waits)
    assert waits[-1] == 30


def test_no_wait_is_shorter_than_the_api_asked_for(pace: Callable[[str], Any]) -> None:
    assert pace("[1, 2, 30].map((tries) => pace.retryDelay(tries, 45))") == [45, 45, 45]
    assert pace("[1, 2, 30].map((looks) => pace.pollDelay(looks, 45))") == [45, 45, 45]


def test_retry_after_is_read_as_seconds_or_a_date_and_bounded(in_page: Callable[..., Any]) -> None:
    meant = {
        "0": 0,
        "1": 1,
        " 120 ": 120,
        "999999": 3600,
        "Sun, 01 Mar 2026 10:00:30 GMT": 30,
        "Sun, 01 Mar 2026 09:00:00 GMT": 0,
        "soon": None,
        "1.5": None,
        "-1": None,
        "": None,
    }
    read = in_page(
        """async (headers) => {
          const { readRetryAfter } = await import("/pace.js");
          return headers.map((header) => readRetryAfter(header, new Date("2026-03-01T10:00:00Z")));
        }""",
        list(meant),
    )
    assert dict(zip(meant, read, strict=True)) == meant


def test_waits_are_said_in_words(pace: Callable[[str], Any]) -> None:
    said = pace("[0.2, 1, 7, 89, 90, 3600].map(pace.inWords)")
    assert said == ["1 second", "1 second", "7 seconds", "89 seconds", "2 minutes", "60 minutes"]
