"""`make help` is the Makefile's table of contents."""

import re
import subprocess

from repository.files import REPOSITORY
from repository.makefile import targets_of_the_makefile
from requirements_of_tests import require_program


def test_help_names_every_target_once_and_none_that_is_not_there() -> None:
    make = require_program("make", "install GNU make")
    told = subprocess.run([make, "--silent", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    named = re.findall(r"^  make ([a-z-]+)", told, re.MULTILINE)
    assert sorted(named) == sorted(targets_of_the_makefile() - {"help"})


def test_no_target_is_taken_for_a_file() -> None:
    [phony] = re.findall(r"^\.PHONY: (.+)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(phony.split()) == targets_of_the_makefile()
