"""`make coverage`: runs the tests that reach lambda/ and scripts/, and tells the lines and branches that none took.

    measure_coverage.py            of both: lambda/ must be whole, scripts/ nearly
    measure_coverage.py lambda     of lambda/ alone, which takes a minute and not a quarter of an hour

How it is measured is in pyproject.toml, [tool.coverage].
"""

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

# Where pyproject.toml has coverage write.
MEASURED = REPOSITORY / ".local" / "coverage"

_IMPORT_OF_THE_PACKAGE = re.compile(r"^\s*(?:from|import) orders\b", re.MULTILINE)

# pytest's own, see https://docs.pytest.org/en/stable/reference/exit-codes.html
_TESTS_FAILED, _STOPPED = 1, 2


@dataclass(frozen=True)
class Part:
    """A folder, how many percent of its lines and branches are to be reached, and the tests that do it."""

    folder: str
    percent: int
    tests: Sequence[str]


def parts() -> dict[str, Part]:
    """Return the parts by the names that the command line has for them."""
    return {
        "lambda": Part("lambda", 100, tests_of_the_functions()),
        "scripts": Part("scripts", 90, tests_of_the_programs()),
    }


def tests_of_the_functions() -> list[str]:
    """Return the tests that have the Lambda package in their own process: its units and its handlers."""
    units = [path for path in _found("unit/test_*.py") if _IMPORT_OF_THE_PACKAGE.search(path.read_text("utf-8"))]
    return [_shown(path) for path in [*units, *_found("integration/test_*_handler.py")]]


def tests_of_the_programs() -> list[str]:
    """Return the tests that run the programs of scripts/, in their own process or as others."""
    elsewhere = {
        "test_frontend_user_data.py",  # a Debian with Apache
        "test_lambda_runtime.py",  # the zip in the runtime's own Python
        "test_storefront_server.py",  # frontend/
    }
    tests = [path for path in _found("integration/test_*.py") if path.name not in elsewhere]
    tests += _found("e2e/test_operator_*.py")
    tests += [
        REPOSITORY / "tests" / "infrastructure" / f"test_{name}.py"
        for name in ("terraform_provider", "validate_terraform")
    ]
    return ["tests/unit", *map(_shown, tests)]


def _found(pattern: str) -> list[Path]:
    return sorted((REPOSITORY / "tests").glob(pattern))


def _shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def coverage(*arguments: str) -> int:
    """Run a command of coverage.py in the repository and return its exit status."""
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=REPOSITORY, check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 if all tests passed and enough was reached."""
    all_parts = parts()
    parser = argparse.ArgumentParser(prog="make coverage", description="Tell what no test reaches.")
    parser.add_argument("of", nargs="?", choices=all_parts, help="only of this folder")
    of = parser.parse_args(arguments).of
    chosen = [all_parts[of]] if of else list(all_parts.values())
    # Ctrl-C reaches the tests too, which end in order; not SIG_IGN, which they would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)

    MEASURED.mkdir(parents=True, exist_ok=True)
    coverage("erase")
    plugin = ["-p", "tests.machine.measured_emulator"]
    tests = sorted({test for part in chosen for test in part.tests})
    status = coverage(
        "run", f"--source={','.join(part.folder for part in chosen)}", "-m", "pytest", "--quiet", *plugin, *tests
    )
    if status not in (0, _TESTS_FAILED):
        reason = "stopped" if status == _STOPPED else "the tests could not be run, the reason is above"
        print(f"make coverage: {reason}", file=sys.stderr)
        return status
    coverage("combine", "--quiet")
    short = [part for part in chosen if not _reaches_enough(part)]
    if status == _TESTS_FAILED:
        print("make coverage: tests failed, see above; what only they reach is missing here", file=sys.stderr)
    for part in short:
        print(
            f"make coverage: the tests reach less than {part.percent} % of {part.folder}/: the last column of its "
            "table says which lines and branches lack one",
            file=sys.stderr,
        )
    return 1 if short or status else 0


def _reaches_enough(part: Part) -> bool:
    print(f"\n{part.folder}/, of which {part.percent} % are to be reached:\n", flush=True)
    return coverage("report", f"--include={part.folder}/*", f"--fail-under={part.percent}") == 0


if __name__ == "__main__":
    sys.exit(main())
