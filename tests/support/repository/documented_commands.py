"""The commands of a document, by section and in order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from support.repository.files import REPOSITORY
from support.repository.markdown import parsed

README = REPOSITORY / "README.md"
DEPLOYMENT = REPOSITORY / "docs" / "deploy.md"
RUNBOOK = REPOSITORY / "docs" / "runbook.md"

# Inline code that is a command: a program with arguments, because `aws` alone is a name.
_INLINE = re.compile(r"(make|(\.venv/bin/)?(aws|orders(-plan)?)|terraform|curl|git|uv) .+|make")


@dataclass(frozen=True)
class Section:
    """The commands under one heading, without those of the headings below it."""

    title: str
    commands: tuple[str, ...]


def sections_with_commands(document: Path, *, inline: bool = False) -> Mapping[str, Section]:
    """Return the sections with commands by title, in the document's order.

    Commands are in code blocks and, with `inline`, also in sentences and tables.
    """
    commands: dict[str, list[str]] = {}
    title = ""
    for token, following in pairwise(parsed(document)):
        if token.type == "heading_open":
            title = following.content
        found: list[str] = []
        if token.type in ("code_block", "fence"):
            found = commands_of(token.content)
        elif token.type == "inline" and inline:
            code = [child.content for child in token.children or [] if child.type == "code_inline"]
            found = [text for text in code if _INLINE.fullmatch(text)]
        if found:
            commands.setdefault(title, []).extend(found)
    return {title: Section(title, tuple(lines)) for title, lines in commands.items()}


def commands_of(block: str) -> list[str]:
    """Return the commands of a code block; a backslash continues a line."""
    commands, unfinished = [], ""
    for line in block.splitlines():
        unfinished += line + "\n"
        if not line.endswith("\\"):
            commands.append(unfinished.strip())
            unfinished = ""
    assert not unfinished, f"a command ends in a backslash: {unfinished}"
    return [command for command in commands if command]
