"""A shell that keeps its variables and directory between commands, and a runner for the commands of a document."""

import re
import shlex
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Self

import click

from orders_cli.program import orders
from support.repository.files import REPOSITORY

_ASSIGNMENT = re.compile(r"([A-Z][A-Z_]*)=")


@dataclass(frozen=True)
class Finished:
    """A command's exit status and its output on both streams; for an assignment, the variable's value."""

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

    def __exit__(self, *_: object) -> None:
        self._bash.kill()
        self._bash.communicate()

    def run(self, command: str, seconds: float = 120) -> Finished:
        """Run a command to its end."""
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
                    return Finished(int(line.split()[1]), "".join(lines).rstrip("\n"))
                lines.append(line)
        finally:
            watch.cancel()
        raise AssertionError(f"the shell ended, or was stopped after {seconds} s, in: {command}\n{''.join(lines)}")


@dataclass(kw_only=True)
class DocumentReader:
    """Runs a document's commands as written, except for placeholders and replacements.

    The keys of the tables are prefixes of commands, without line breaks; the longest match applies.
    """

    shell: Shell
    filled_in: dict[str, str] = field(default_factory=dict)
    """The values of placeholders in angle brackets."""
    replaced: dict[str, str] = field(default_factory=dict)
    """Texts that are replaced in each command."""
    expected: dict[str, str] = field(default_factory=dict)
    """Patterns that a command's output must match. Without one it must print something other than None."""
    not_run: dict[str, str] = field(default_factory=dict)
    """The reason why only the spelling of a command is checked."""
    after: dict[str, Callable[[], object]] = field(default_factory=dict)
    """Functions to call after a command."""
    output: str = ""
    """The last command's output."""

    def run_all(self, commands: Sequence[str]) -> None:
        """Run the commands in order."""
        for command in commands:
            beginning = beginning_in({**self.expected, **self.not_run}, command)
            if beginning in self.not_run:
                self._require_valid(command)
            else:
                finished = self.run(command)
                assert finished.status == 0, f"{command}\nended with {finished.status}:\n{finished.text}"
                pattern = self.expected[beginning] if beginning else r"\A(?!None\Z)[\s\S]"
                assert re.search(pattern, finished.text, re.MULTILINE), (
                    f"{command}\nmust print {pattern!r}, but printed:\n{finished.text}"
                )

    def run(self, command: str) -> Finished:
        """Run one command of the document."""
        finished = self.shell.run(self._completed(command))
        self.output = finished.text
        if beginning := beginning_in(self.after, command):
            self.after[beginning]()
        return finished

    def _completed(self, command: str) -> str:
        for documented, used in self.replaced.items():
            command = command.replace(documented, used)
        for name, value in self.filled_in.items():
            command = command.replace(f"<{name}>", value)
        assert not (left := re.findall(r"<[a-z][a-z _-]*>", command)), f"{left} is not filled in: {command}"
        return command

    def _require_valid(self, command: str) -> None:
        """Fail unless a command names an existing AWS API, Terraform variable, file, make target or option of `orders`.

        With ONLY_CHECK set, the shell's `aws` must be stub_aws/command_line.py.
        """
        program, *arguments = shlex.split(self._completed(command), comments=True)
        if program == "aws":
            finished = self.shell.run(f"ONLY_CHECK=1 {self._completed(command)}")
            assert finished.status == 0, f"{command}\nis not a valid command:\n{finished.text}"
        elif program == "terraform":
            directory = REPOSITORY / "terraform-backend"
            if arguments[0].startswith("-chdir="):
                directory = REPOSITORY / arguments.pop(0).removeprefix("-chdir=")
            variables = re.findall(r'(?m)^variable "(\w+)"', (directory / "variables.tf").read_text())
            for option, value in pairwise(arguments):
                assert option != "-var" or value.partition("=")[0] in variables, f"{value} is not a variable: {command}"
            for argument in arguments:
                if argument.startswith("-var-file="):
                    assert (directory / argument.removeprefix("-var-file=")).exists(), command
        elif program == "orders":
            parsed: click.Command | None = orders
            context = None
            while isinstance(parsed, click.Group):
                context = parsed.make_context(parsed.name, arguments, parent=context)
                _, parsed, arguments = parsed.resolve_command(context, [*context._protected_args, *context.args])
            assert parsed
            parsed.make_context(parsed.name, arguments, parent=context)
        elif program == "make":
            assert re.search(rf"(?m)^{arguments[0]}:", (REPOSITORY / "Makefile").read_text()), command


def in_one_line(command: str) -> str:
    return re.sub(r"\s*\\\n\s*", " ", command)


def beginning_in(table: Mapping[str, object], command: str) -> str | None:
    """Return the longest key of a table that a command begins with."""
    return max((each for each in table if in_one_line(command).startswith(each)), key=len, default=None)


def write_command(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    path.chmod(0o755)
