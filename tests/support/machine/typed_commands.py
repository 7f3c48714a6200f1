"""The commands of a document, typed as they stand into one shell, and what each has to say."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from support.machine.shell import Answer, Shell
from support.repository.files import REPOSITORY


@dataclass(kw_only=True)
class Typist:
    """A person at a shell, the document in front of them, and what they put in place of what it leaves open."""

    shell: Shell
    filled_in: dict[str, str] = field(default_factory=dict)
    """What is typed for a name in angle brackets."""
    typed_here: dict[str, str] = field(default_factory=dict)
    """What is typed in another way than the document has it."""
    after: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens after a command that begins like this."""
    said: str = ""
    """What the last command said."""

    def typed(self, command: str) -> str:
        """Return a command as it is typed here; fail where something is not filled in."""
        for documented, here in self.typed_here.items():
            command = command.replace(documented, here)
        for name, value in self.filled_in.items():
            command = command.replace(f"<{name}>", value)
        assert not (left := re.findall(r"<[a-z][a-z _-]*>", command)), f"{left} is not filled in: {command}"
        return command

    def run(self, command: str) -> Answer:
        """Type a command of the document."""
        answer = self.shell.run(self.typed(command))
        self.said = answer.text
        for beginning, happen in self.after.items():
            if in_one_line(command).startswith(beginning):
                happen()
        return answer


def in_one_line(command: str) -> str:
    """Return a command without line breaks."""
    return re.sub(r"\s*\\\n\s*", " ", command)


def beginning_in(table: Mapping[str, object], command: str) -> str | None:
    """Return the longest entry of a table that a command begins with."""
    return max((each for each in table if in_one_line(command).startswith(each)), key=len, default=None)


def require_all_do_what_they_are_there_for(
    person: Typist, commands: Sequence[str], expected: Mapping[str, str], not_run: Mapping[str, object]
) -> None:
    """Type the commands in their order.

    Each has to be in one of the two tables, by how it begins. What is in `expected` has to succeed and to say what matches;
    what is in `not_run` has to be well spelt. Nothing may be expected of a command that is not there.
    """
    used = set()
    for command in commands:
        beginning = beginning_in({**expected, **not_run}, command)
        assert beginning, f"say what it does, or why it is not run: {command}"
        used.add(beginning)
        if beginning in expected:
            answer = person.run(command)
            assert answer.status == 0, f"{command}\nended with {answer.status}:\n{answer.text}"
            assert re.search(expected[beginning], answer.text, re.MULTILINE), (
                f"{command}\nwas to say {expected[beginning]!r}, but said:\n{answer.text}"
            )
        else:
            require_well_spelt(person, command)
    assert expected.keys() <= used, f"no command needs these any more: {expected.keys() - used}"


def require_well_spelt(person: Typist, command: str) -> None:
    """Fail unless a command that is not run names what there is.

    With ONLY_CHECK set, the shell's `aws` must be stub_aws/command_line.py.
    """
    program, *arguments = shlex.split(person.typed(command), comments=True)
    if program == "aws":
        answer = person.shell.run(f"ONLY_CHECK=1 {person.typed(command)}")
        assert answer.status == 0, f"{command}\nis not understood:\n{answer.text}"
    elif program == "terraform":
        directory, arguments = _directory(arguments)
        variables = re.findall(r'(?m)^variable "(\w+)"', (directory / "variables.tf").read_text())
        assert arguments[0] in ("apply", "destroy", "workspace")
        for option, value in pairwise(arguments):
            assert option != "-var" or value.partition("=")[0] in variables, f"{value} is no variable: {command}"
        for argument in arguments:
            if argument.startswith("-var-file="):
                assert (directory / argument.removeprefix("-var-file=")).exists(), command
    elif program == "make":
        assert re.search(rf"(?m)^{arguments[0]}:", (REPOSITORY / "Makefile").read_text()), command


def _directory(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Return where Terraform is to work, the backend's folder if nothing is said of it, and the other arguments."""
    first, *others = arguments
    if first.startswith("-chdir="):
        return REPOSITORY / first.removeprefix("-chdir="), others
    return REPOSITORY / "terraform-backend", [first, *others]
