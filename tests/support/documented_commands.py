"""The commands of a document by section, and a reader that runs them in a shell."""

import re
import shlex
import subprocess
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import click

from orders_cli.program import orders
from support.repository.files import REPOSITORY
from support.repository.markdown import parsed

README = REPOSITORY / "README.md"
DEPLOYMENT = REPOSITORY / "docs" / "deploy.md"
RUNBOOK = REPOSITORY / "docs" / "runbook.md"

Sections = Mapping[str, list[str]]
"""The commands under each heading, in order, without those of the headings below it."""

# Inline code that is a command: a program with arguments, because `aws` alone is a name.
_INLINE = re.compile(r"(make|(\.venv/bin/)?(aws|orders(-plan)?)|terraform|curl|git|uv) .+|make")
_ASSIGNMENT = re.compile(r"([A-Z][A-Z_]*)=")


def sections_with_commands(document: Path, *, inline: bool = False) -> Sections:
    """Return the commands in a document's code blocks and, with `inline`, also in sentences and tables."""
    sections: dict[str, list[str]] = defaultdict(list)
    title = ""
    for token, following in pairwise(parsed(document)):
        if token.type == "heading_open":
            title = following.content
        elif token.type in ("code_block", "fence"):
            # A backslash continues a line.
            sections[title] += filter(None, re.split(r"(?<!\\)\n", token.content))
        elif token.type == "inline" and inline:
            code = [child.content for child in token.children or [] if child.type == "code_inline"]
            sections[title] += filter(_INLINE.fullmatch, code)
    return {title: commands for title, commands in sections.items() if commands}


class Shell:
    """One bash, started in `directory` with exactly this environment. It keeps its variables between commands."""

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

    def run(self, command: str, seconds: float = 120) -> tuple[int, str]:
        """Run a command; return its exit status and both output streams, or for an assignment the variable's value."""
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
                    return int(line.split()[1]), "".join(lines).rstrip("\n")
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

    def run_section(
        self, commands: Iterable[str], prepare: Callable[[Any], AbstractContextManager[None]] | None = None
    ) -> None:
        """Run the commands of a section in order, within the context that `prepare` returns for this reader."""
        with prepare(self) if prepare else nullcontext():
            for command in commands:
                beginning = _beginning_in({**self.expected, **self.not_run}, command)
                if beginning in self.not_run:
                    self._require_valid(command)
                else:
                    self._run(command, self.expected[beginning] if beginning else r"\A(?!None\Z)[\s\S]")

    def _run(self, command: str, pattern: str) -> None:
        status, self.output = self.shell.run(self._completed(command))
        if beginning := _beginning_in(self.after, command):
            self.after[beginning]()
        assert status == 0, f"{command}\nended with {status}:\n{self.output}"
        assert re.search(pattern, self.output, re.MULTILINE), (
            f"{command}\nmust print {pattern!r}, but printed:\n{self.output}"
        )

    def _completed(self, command: str) -> str:
        for documented, used in self.replaced.items():
            command = command.replace(documented, used)
        for name, value in self.filled_in.items():
            command = command.replace(f"<{name}>", value)
        assert not (left := re.findall(r"<[a-z][a-z _-]*>", command)), f"{left} is not filled in: {command}"
        return command

    def _require_valid(self, command: str) -> None:
        """Fail unless a command names an existing AWS API, Terraform variable, file, make target or option of `orders`.

        With ONLY_CHECK set, the shell's `aws` must only check the command.
        """
        program, *arguments = shlex.split(self._completed(command), comments=True)
        if program == "aws":
            status, text = self.shell.run(f"ONLY_CHECK=1 {self._completed(command)}")
            assert status == 0, f"{command}\nis not a valid command:\n{text}"
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
            parsed_command: click.Command | None = orders
            context = None
            while isinstance(parsed_command, click.Group):
                context = parsed_command.make_context(parsed_command.name, arguments, parent=context)
                left = [*context._protected_args, *context.args]
                _, parsed_command, arguments = parsed_command.resolve_command(context, left)
            assert parsed_command
            with parsed_command.make_context(parsed_command.name, arguments, parent=context):
                pass  # close the files that it opened
        elif program == "make":
            assert re.search(rf"(?m)^{arguments[0]}:", (REPOSITORY / "Makefile").read_text()), command


def require_documented(sections: Sections, titles: Iterable[str], *tables: Iterable[str]) -> None:
    """Fail unless the titles are those of sections, and each key of the tables is the beginning of a command."""
    commands = [_in_one_line(command) for commands in sections.values() for command in commands]
    assert set(titles) <= sections.keys()
    for table in tables:
        assert [each for each in table if not any(command.startswith(each) for command in commands)] == []


def _in_one_line(command: str) -> str:
    return re.sub(r"\s*\\\n\s*", " ", command)


def _beginning_in(table: Mapping[str, object], command: str) -> str | None:
    """Return the longest key of a table that a command begins with."""
    return max((each for each in table if _in_one_line(command).startswith(each)), key=len, default=None)


def write_command(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    path.chmod(0o755)
