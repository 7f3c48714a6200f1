"""A shell that a person works in: what one command sets, the next one has."""

import re
import subprocess
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_ASSIGNMENT = re.compile(r"([A-Z][A-Z_]*)=")


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said on both of its outputs."""

    status: int
    text: str


class Shell:
    """One bash, started in `directory` with exactly this environment."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._mark = f"end-of-command-{uuid.uuid4().hex}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bash.kill()
        self._bash.communicate()

    def run(self, command: str, seconds: float = 120) -> Answer:
        """Type a command and wait for its end; what is said of an assignment is the variable's value."""
        assert self._bash.stdin
        assert self._bash.stdout
        variable = _ASSIGNMENT.match(command)
        shown = f'echo "${variable[1]}"' if variable else ":"
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null && {shown}\nprintf '\\n%s %s\\n' {self._mark} $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        watch = threading.Timer(seconds, self._bash.kill)
        watch.start()
        try:
            for line in self._bash.stdout:
                if line.startswith(self._mark):
                    return Answer(int(line.split()[1]), "".join(lines).rstrip("\n"))
                lines.append(line)
        finally:
            watch.cancel()
        raise AssertionError(f"the shell ended, or was stopped after {seconds} s, in: {command}\n{''.join(lines)}")
