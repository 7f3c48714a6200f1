"""`make help` lists every target, and recipes do not depend on the user's environment."""

import ast
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest

from support.prerequisites import require_program
from support.repository.files import REPOSITORY


def make(*arguments: str, **variables: str) -> str:
    program = require_program("make", "install GNU make")
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    command = [program, "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env={**environment, **variables}, capture_output=True, text=True, check=True
    ).stdout


def test_help_names_every_target_once() -> None:
    named = re.findall(r"^  make ([a-z-]+)", make("--silent", "help"), re.MULTILINE)
    targets = re.findall(r"^([a-z][a-z-]*):(?!=)", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*named, "help"]) == sorted(targets)


def test_unknown_step_of_check_is_reported() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        make("check", "PYTHON=:", "STEPS=lint no-such-step")
    assert failed.value.stderr.startswith("make check: no-such-step is not an id in .pre-commit-config.yaml\n")


def test_old_python_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    python, _, check, *_ = shlex.split(make("--dry-run", "install", "PYTHON="))
    assert python == "python3"
    ast.parse(check, feature_version=(3, 4))
    old = SimpleNamespace(version_info=(3, 10, 8, "final", 0), executable="/usr/bin/python3", exit=sys.exit)
    monkeypatch.setitem(sys.modules, "sys", old)
    with pytest.raises(SystemExit, match=r"^make: /usr/bin/python3 is Python 3\.10, but 3\.11 or newer .*PYTHON="):
        exec(check)
    old.version_info = (3, 11, 0, "final", 0)
    exec(check)


def test_recipe_ignores_variables_of_the_user() -> None:
    foreign = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "PYTHONSTARTUP": "/x", "PYTEST_PLUGINS": "x", "MAKEFLAGS": "k"}
    # With PYTHON=env, the recipe of `install` prints its environment.
    shown = make("install", "PYTHON=env; #", no_proxy="intranet", http_proxy="http://127.0.0.1:9", **foreign)
    environment = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    assert not foreign.keys() & environment.keys()
    assert environment["no_proxy"] == environment["NO_PROXY"]
    assert {"intranet", "localhost", ".localhost", "127.0.0.1"} <= set(environment["no_proxy"].split(","))
