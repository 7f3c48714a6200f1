"""Missing programs are reported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY

_TESTS = """
import pytest
from support.prerequisites import require_program

@pytest.mark.parametrize("number", range(3))
def test_with_tool(number):
    require_program("no-such-tool", "install it")

def test_without_tool():
    pass
"""


@pytest.mark.parametrize(
    ("variables", "status", "expected"),
    [
        ({}, 0, "SKIPPED [3] "),
        ({"CI": "true"}, 1, "3 failed, 1 passed"),
    ],
)
def test_missing_program_skips_tests_and_fails_in_ci(
    tmp_path: Path, variables: dict[str, str], status: int, expected: str
) -> None:
    (tmp_path / "test_tool.py").write_text(_TESTS)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "COLUMNS", "PYTEST_ADDOPTS")}
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--config-file",
            REPOSITORY / "pyproject.toml",
            "-p",
            "no:cacheprovider",
            tmp_path,
        ],
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert "the program 'no-such-tool' is missing: install it\n" in ended.stdout
    assert expected in ended.stdout
