"""The Lambda zip for this machine."""

import sys
from pathlib import Path

from local_stack.environment import without_personal_choices
from local_stack.errors import LocalStackError
from local_stack.processes import Process
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import REPOSITORY

ZIP_PATH = REPOSITORY / "dist" / "orders-local.zip"

# pip cleans up its downloads.
_STOP_SECONDS = 10


def built_package(log: Path, lock: RunLock, report: Report) -> Path:
    """Build the zip if its inputs have changed; return its path."""
    process = Process(
        "The build of the Lambda package",
        [sys.executable, REPOSITORY / "scripts" / "build_lambda.py", "--target", "local"],
        # pip's own settings (an index of the company, a cache) stay as they are.
        environment=without_personal_choices(),
        log=log,
        grace_seconds=_STOP_SECONDS,
        inherited=[lock.file_descriptor],
    )
    with process:
        for line in process.lines():
            # Indented lines are details; they are in the log.
            if line is not None and not line.startswith(" "):
                report.line(f"  {line}")
    if process.exit_status != 0:
        raise LocalStackError("The Lambda package could not be built; the reason is above.")
    if not ZIP_PATH.is_file():
        raise LocalStackError(f"There is no Lambda package at {ZIP_PATH}: run `make build` and see what it says.")
    return ZIP_PATH
