"""The files that Git tracks or would add."""

from pathlib import Path

from support.prerequisites import missing
from support.repository.git import git

REPOSITORY = Path(__file__).resolve().parents[3]


def checked_in_files(pattern: str = "*") -> list[Path]:
    """Return the files, including new ones, whose path matches a Git pattern such as ``*.md``."""
    # The developer's settings are needed for safe.directory.
    options = ("-z", "--cached", "--others", "--exclude-standard", "--", pattern)
    listed = git(REPOSITORY, "ls-files", *options, user_configuration=True)
    if listed.returncode != 0:
        missing("the Git repository", f"Git cannot list what is checked in ({listed.stderr.strip()})")
    paths = (REPOSITORY / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]
