"""What is said of tests whose tools are missing: each tool once, however many tests want it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.prerequisites import lines_about_missing
from support.repository.files import REPOSITORY

_TESTS = """
import pytest
from support.prerequisites import require_program

@pytest.mark.parametrize("number", range(3))
def test_a_tool(number):
    require_program("no-such-tool", "get it from its maker")

def test_the_rest():
    pass
"""


def run_of_tests(directory: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run tests that want a tool that nobody has, with this project's settings."""
    (directory / "test_of_a_tool.py").write_text(_TESTS)
    (directory / "conftest.py").write_text(
        "from support.prerequisites import tell_what_is_missing as pytest_terminal_summary\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "COLUMNS", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--config-file",
            REPOSITORY / "pyproject.toml",
            "-p",
            "no:cacheprovider",
            directory,
        ],
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_tool_is_told_once_with_how_to_get_it_and_the_run_ends_well(tmp_path: Path) -> None:
    ended = run_of_tests(tmp_path)
    assert ended.returncode == 0
    assert "Not tested, because this machine lacks it:" in ended.stdout
    assert ended.stdout.count("no-such-tool") == 1
    assert "\n  the program 'no-such-tool' is missing: get it from its maker (3 tests)\n" in ended.stdout
    assert "1 passed, 3 skipped" in ended.stdout


def test_in_ci_it_is_a_failure(tmp_path: Path) -> None:
    ended = run_of_tests(tmp_path, CI="true")
    assert ended.returncode == 1
    assert "3 failed" in ended.stdout
    assert "Not tested" not in ended.stdout


@pytest.mark.parametrize(
    ("reasons", "lines"),
    [
        ([], []),
        (["root is missing: be root"], ["root is missing: be root (1 test)"]),
        (["b is missing: x", "a", "b is missing: y", "b is missing: x"], ["b is missing: x (3 tests)", "a (1 test)"]),
    ],
)
def test_the_most_wanted_comes_first_and_what_is_missing_is_told_once(reasons: list[str], lines: list[str]) -> None:
    assert lines_about_missing(reasons) == lines
