"""The targets of the Makefile."""

import re

from support.repository.files import REPOSITORY


def targets_of_the_makefile() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))
