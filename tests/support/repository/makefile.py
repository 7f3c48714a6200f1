"""The Makefile, looked into for what it offers."""

import re

from support.repository.files import REPOSITORY


def targets_of_the_makefile() -> set[str]:
    """Return the names of all targets that a person can ask for."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))
