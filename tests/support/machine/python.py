"""Run a program in a new Python interpreter, which can import the package `orders` and the tests' shared code."""

import json
import os
import subprocess
import sys
from typing import Any

from bench.cold_starts import ENVIRONMENT
from support.repository.files import REPOSITORY

_PATH = os.pathsep.join(str(REPOSITORY / folder) for folder in ("lambda", "tests"))


def run_python(program: str, *arguments: str, given: Any = None, **environment: str) -> list[str]:
    """Return the lines that the program prints. It gets `given` as JSON, and the settings of a function."""
    # `make coverage` measures these programs too.
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**ENVIRONMENT, **coverage, "PYTHONPATH": _PATH, **environment},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()
