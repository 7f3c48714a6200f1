"""Lets `make coverage` see into the emulators that tests start: a plugin of pytest, `-p tests.machine.measured_emulator`.

Any other program learns from its environment that it is measured. The emulator's holds only what it needs, because the
functions inherit it, and they are to run as always.
"""

import os

import pytest

# Where coverage tells the processes that a measured one starts how to measure.
_VARIABLE = "COVERAGE_PROCESS_CONFIG"


def pytest_configure() -> None:
    """Have each emulator begin by measuring itself, and tell nobody."""
    # Only now are the folders of the programs on the path.
    from local_stack import emulator

    if _VARIABLE not in os.environ:
        raise pytest.UsageError("nothing is measured here: run `make coverage`")
    program = vars(emulator)["_PROGRAM"]
    vars(emulator)["_PROGRAM"] = f"""
import os
import coverage
os.environ[{_VARIABLE!r}] = {os.environ[_VARIABLE]!r}
coverage.process_startup()
del os.environ[{_VARIABLE!r}]
{program}"""
