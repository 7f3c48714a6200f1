"""The files that are checked in or about to be, as Git lists them: nothing built, installed or local."""

import subprocess
from pathlib import Path

from requirements_of_tests import missing, require_program

REPOSITORY = Path(__file__).resolve().parents[2]


def checked_in_files(pattern: str = "*") -> list[Path]:
    """Return the files, new ones included, whose path matches a pattern of Git's, such as ``*.md``.

    Skips the test, or fails it in CI, where there is no Git or no repository.
    """
    git = require_program("git", "install Git to look at all files that are checked in")
    command = [
        git,
        "-C",
        str(REPOSITORY),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        pattern,
    ]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        missing("the Git repository", f"Git cannot list what is checked in ({listed.stderr.strip()})")
    paths = (REPOSITORY / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]
