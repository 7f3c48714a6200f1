"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_PAUSE_SECONDS = 0.05


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 30) -> T:
    """Call `probe` until it returns a truthy value, and return that; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {seconds} s waiting for {what}; last value: {found!r}")
        time.sleep(_PAUSE_SECONDS)
