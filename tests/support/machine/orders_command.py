"""The command `orders` on a local stack, in this process or as the installed program."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from local_stack import LocalStack
from orders_cli.program import run

COMMAND = Path(sys.prefix) / "bin" / "orders"

# Settings of another account. The tool must ignore them on a local stack.
_OTHER_ACCOUNT = {
    "AWS_PROFILE": "production",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "else",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "PYTHONPATH": "/nowhere",
}


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str


class OrdersCommand:
    """Runs `orders` on one local stack, without a terminal and in its own directory."""

    def __init__(self, local: LocalStack, directory: Path) -> None:
        self.directory = directory
        self._stack_file = local.settings.local_directory / "stack.json"

    def arguments(self, *arguments: str | Path) -> list[str | Path]:
        return [COMMAND, *arguments, "--stack-file", self._stack_file]

    @property
    def environment(self) -> dict[str, str]:
        # pytest-xdist sets COLUMNS, which would override a terminal's size.
        inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        return {**inherited, **_OTHER_ACCOUNT}

    def start(self, *arguments: str | Path, **more: Any) -> "subprocess.Popen[str]":
        """Start the installed program; its output is text in pipes."""
        settings: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        settings |= {"stdin": subprocess.DEVNULL, "text": True, "start_new_session": True}
        settings |= {"env": self.environment, "cwd": self.directory}
        return subprocess.Popen(self.arguments(*arguments), **{**settings, **more})

    def run(self, *arguments: str | Path, status: int = 0, text: str = "") -> Finished:
        """Run the command in this process, with `text` on its standard input; require this status."""
        with chdir(self.directory):
            finished = run_here(*self.arguments(*arguments)[1:], environment=self.environment, text=text)
        assert finished.status == status, f"orders {arguments} ended with {finished.status}: {finished.err}"
        return finished


def run_here(*arguments: str | Path, environment: Mapping[str, str], text: str = "") -> Finished:
    """Run a command in this process, which is faster than starting one."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = run([str(argument) for argument in arguments])
    return Finished(status, out.getvalue(), err.getvalue())
