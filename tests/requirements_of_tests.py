"""What a test needs from the machine: skipped with one loud line where it is missing, a failure under CI=true."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the running test, or fail it under ``CI=true``, saying what is missing and what to do."""
    reason = f"{what} is missing: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_program(name: str, remedy: str) -> str:
    """Return the path of program `name` on PATH; where it is missing, skip or fail with `remedy`."""
    path = shutil.which(name)
    if path is None:
        missing(f"the program '{name}'", remedy)
    return path


def require_root(purpose: str) -> None:
    """Skip or fail unless the tests run as root, which `purpose` needs."""
    if os.geteuid() != 0:
        missing("root", f"{purpose} needs it; run the tests as root to include them")
