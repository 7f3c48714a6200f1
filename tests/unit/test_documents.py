"""Links of documents are valid, and no file contains an absolute path of this machine."""

import functools
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from support.repository.files import REPOSITORY, checked_in_files
from support.repository.markdown import anchors_of, parsed

anchors = functools.cache(anchors_of)


def link_error(link: str, document: Path) -> str | None:
    """Return the reason why a link is invalid, or None. Links to the web are not checked."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = document.parent / unquote(parts.path) if parts.path else document
    if not target.exists() or not target.resolve().is_relative_to(REPOSITORY):
        return "does not exist in this repository"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
        return f"names no heading of {target.name}, which has {', '.join(sorted(anchors(target)))}"
    return None


def test_every_link_is_valid() -> None:
    links = [
        (document, str(child.attrs["href" if child.type == "link_open" else "src"]))
        for document in checked_in_files("*.md")
        for token in parsed(document)
        for child in token.children or []
        if child.type in ("link_open", "image")
    ]
    assert len(links) > 50
    faults = [(document.name, link, fault) for document, link in links if (fault := link_error(link, document))]
    assert faults == []


def test_no_file_contains_an_absolute_path_of_this_machine() -> None:
    folders = {folder for folder in (REPOSITORY, Path.home()) if folder != Path("/")}
    names = re.compile("|".join(rf"(?<![\w.}}/-]){re.escape(str(folder))}(?![\w-])" for folder in folders))
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in checked_in_files()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1)
        if names.search(line)
    ]
    assert not found, f"use an environment variable or a path relative to the repository: {', '.join(found)}"
