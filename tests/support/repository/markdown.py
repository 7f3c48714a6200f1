"""Markdown files as GitHub reads them."""

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token


def parsed(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a Markdown file.

    Lower case, without punctuation, spaces as hyphens; a repeated one is numbered.
    https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
    """
    tokens = parsed(document)
    anchors: set[str] = set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))
            anchor = first = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
            number = 0
            while anchor in anchors:
                number += 1
                anchor = f"{first}-{number}"
            anchors.add(anchor)
    return anchors
