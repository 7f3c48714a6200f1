"""`make help` is the Makefile's table of contents."""

import ast
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest

import set_up_venv
from repository.files import REPOSITORY
from repository.makefile import targets_of_the_makefile
from requirements_of_tests import require_program


def make(*arguments: str) -> str:
    """Return what make says."""
    program = require_program("make", "install GNU make")
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    command = [program, "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout


def test_help_names_every_target_once_and_none_that_is_not_there() -> None:
    named = re.findall(r"^  make ([a-z-]+)", make("--silent", "help"), re.MULTILINE)
    assert sorted(named) == sorted(targets_of_the_makefile() - {"help"})


def test_what_help_says_of_each_variable_begins_in_one_column() -> None:
    variables = re.findall(r"^ {22}(\S.*?  +)\S", make("--silent", "help"), re.MULTILINE)
    assert len(variables) > 5
    assert len({len(variable) for variable in variables}) == 1, variables


def test_no_target_is_taken_for_a_file() -> None:
    [phony] = re.findall(r"^\.PHONY: (.+)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(phony.split()) == targets_of_the_makefile()


@pytest.mark.parametrize("target", ["run", "test", "build", "bench", "prove"])
def test_nothing_is_asked_of_the_machines_own_python_but_to_make_the_environment(target: str) -> None:
    set_up, *others = make("--dry-run", target, "PYTHON=the-machines-own").splitlines()
    assert "the-machines-own scripts/set_up_venv.py" in set_up
    assert others
    assert "the-machines-own" not in " ".join(others)


def test_a_python_that_cannot_read_the_set_up_is_told_to_be_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, check, *_ = shlex.split(make("--dry-run", "set-up-run"))
    ast.parse(check, feature_version=(3, 4))
    old = SimpleNamespace(version_info=(3, 6, 8, "final", 0), executable="/usr/bin/python3", exit=sys.exit)
    monkeypatch.setitem(sys.modules, "sys", old)
    with pytest.raises(
        SystemExit, match=r"^make: /usr/bin/python3 is Python 3\.6, but 3\.11 or newer is needed: .*PYTHON="
    ):
        exec(check)
    major, minor = set_up_venv.OLDEST_PYTHON
    old.version_info = (major, minor - 1, 9, "final", 0)
    with pytest.raises(SystemExit):
        exec(check)
    old.version_info = (major, minor, 0, "final", 0)
    exec(check)
