"""The runbook as what it tells people to type: its sections, and each one's commands in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from repository.files import REPOSITORY
from repository.markdown import parsed

RUNBOOK = REPOSITORY / "docs" / "runbook.md"


@dataclass(frozen=True)
class Section:
    """What stands under one heading, without what is under the headings below it."""

    title: str
    commands: tuple[str, ...]


def sections_with_commands(document: Path = RUNBOOK) -> Mapping[str, Section]:
    """Return the sections that hold commands by their titles, in the document's order."""
    commands: dict[str, list[str]] = {}
    title = ""
    for token, following in pairwise(parsed(document)):
        if token.type == "heading_open":
            title = following.content
        elif token.type == "code_block":
            commands.setdefault(title, []).extend(commands_of(token.content))
    return {title: Section(title, tuple(lines)) for title, lines in commands.items()}


def commands_of(block: str) -> list[str]:
    """Return the commands of a block: one a line, on several lines where a line ends in a backslash."""
    commands, unfinished = [], ""
    for line in block.splitlines():
        unfinished += line + "\n"
        if not line.endswith("\\"):
            commands.append(unfinished.strip())
            unfinished = ""
    assert not unfinished, f"a command ends in a backslash: {unfinished}"
    return [command for command in commands if command]
