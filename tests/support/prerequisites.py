"""Programs and permissions that tests need. If one is missing, the test is skipped; with CI=true it fails."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

_LOCAL_AWS_CLI = Path(__file__).parent / "machine" / "aws_cli.py"


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the running test, or fail it with ``CI=true``."""
    reason = f"{what} is missing: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_program(name: str, remedy: str) -> str:
    """Return the path of a program on PATH; skip or fail if it is missing."""
    path = shutil.which(name)
    if path is None:
        missing(f"the program '{name}'", remedy)
    return path


@functools.cache
def aws_cli() -> list[str]:
    """Return a command that runs AWS CLI version 2 with AWS_ENDPOINT_URL; skip or fail if it is missing."""
    # It may not be the first `aws` on PATH.
    for path in filter(None, (shutil.which("aws", path=folder) for folder in os.get_exec_path())):
        if subprocess.run([path, "--version"], capture_output=True, check=False).stdout.startswith(b"aws-cli/2."):
            break
    else:
        missing("version 2 of the AWS CLI", "install Debian's awscli to test the documented commands")
    interpreter = Path(path).read_bytes().partition(b"\n")[0].removeprefix(b"#!").decode("ascii", "ignore").split()
    # AWS's own releases are binaries that read AWS_ENDPOINT_URL; Debian's script needs the bridge.
    return [*interpreter, str(_LOCAL_AWS_CLI)] if "python" in "".join(interpreter) else [path]


def require_root(purpose: str) -> None:
    """Skip or fail unless the tests run as root, which `purpose` needs."""
    if os.geteuid() != 0:
        missing("root", f"{purpose} needs it; run the tests as root to include them")
