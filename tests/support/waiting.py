"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.05


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 30) -> T:
    """Call `probe` until it returns a truthy value, and return that; fail the test after `seconds`."""
    started = time.monotonic()
    while True:
        found = probe()
        if found:
            return found
        elapsed = time.monotonic() - started
        if elapsed > seconds:
            pytest.fail(f"timed out after {seconds} s waiting for {what}; last value: {found!r}")
        # A long wait polls less often: the probes of all tests are a large part of their processor time.
        time.sleep(max(_SHORTEST_PAUSE_SECONDS, elapsed / 20))
