"""What a test needs from the machine: skipped with one loud line where it is missing, a failure under CI=true."""

import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

_LOCAL_AWS_CLI = Path(__file__).parent / "machine" / "aws_cli.py"


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


@functools.cache
def _aws_cli() -> str | None:
    """Return the path of version 2 of the AWS CLI, which may not be the first `aws` on PATH."""
    for folder in os.get_exec_path():
        path = shutil.which("aws", path=folder)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
            if said.startswith("aws-cli/2."):
                return path
    return None


def aws_cli() -> list[str]:
    """Return a command that runs version 2 of the AWS CLI for AWS_ENDPOINT_URL; where it is missing, skip or fail."""
    path = _aws_cli() or missing("version 2 of the AWS CLI", "install Debian's awscli to test the documented commands")
    interpreter = Path(path).read_bytes().partition(b"\n")[0].removeprefix(b"#!").decode("ascii", "ignore").split()
    # Releases of AWS's own are no script, and new enough.
    return [*interpreter, str(_LOCAL_AWS_CLI)] if "python" in "".join(interpreter) else [path]


def require_root(purpose: str) -> None:
    """Skip or fail unless the tests run as root, which `purpose` needs."""
    if os.geteuid() != 0:
        missing("root", f"{purpose} needs it; run the tests as root to include them")


def lines_about_missing(reasons: Iterable[str]) -> list[str]:
    """Return a line for each thing that is missing, the one that most tests want first, with the first remedy told."""
    told: dict[str, str] = {}
    wanted: Counter[str] = Counter()
    for reason in reasons:
        what = reason.partition(": ")[0]
        told.setdefault(what, reason)
        wanted[what] += 1
    return [f"{told[what]} ({number} {'test' if number == 1 else 'tests'})" for what, number in wanted.most_common()]


def tell_what_is_missing(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once of each thing that is missing what it is, how to get it and how many tests want it.

    pytest's own list would have a line for each place that skips.
    """
    reports = terminalreporter.getreports("skipped")
    # Of a skipped test pytest keeps the file, the line, and the reason after a word of its own.
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports if isinstance(report.longrepr, tuple)]
    if reasons:
        terminalreporter.section("Not tested, because this machine lacks it:")
        for line in lines_about_missing(reasons):
            terminalreporter.line(f"  {line}")
