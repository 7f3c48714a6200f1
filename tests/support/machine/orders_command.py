"""The installed command `orders`, run as a process on a local stack."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack import LocalStack

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
        """Start the command; its output is text in pipes."""
        settings: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
        }
        return subprocess.Popen(
            self.arguments(*arguments), env=self.environment, cwd=self.directory, **{**settings, **more}
        )

    def run(self, *arguments: str | Path, status: int = 0, text: str | None = None) -> Finished:
        """Run the command to its end, `text` on its standard input; it must end with this status."""
        with self.start(*arguments, stdin=subprocess.DEVNULL if text is None else subprocess.PIPE) as process:
            out, err = process.communicate(text, timeout=120)
        assert process.returncode == status, f"orders {arguments} ended with {process.returncode}: {err}"
        assert "Traceback" not in err
        return Finished(process.returncode, out, err)
