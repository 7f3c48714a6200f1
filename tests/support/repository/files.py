"""The files that are checked in or about to be, as Git lists them: nothing built, installed or local."""

from pathlib import Path

from support.prerequisites import missing
from support.repository.git import git

REPOSITORY = Path(__file__).resolve().parents[3]


def checked_in_files(pattern: str = "*") -> list[Path]:
    """Return the files, new ones included, whose path matches a pattern of Git's, such as ``*.md``.

    Skips the test, or fails it in CI, where there is no Git or no repository.
    """
    # The developer's settings stay: safe.directory is one of them.
    options = ("-z", "--cached", "--others", "--exclude-standard", "--", pattern)
    listed = git(REPOSITORY, "ls-files", *options, user_configuration=True)
    if listed.returncode != 0:
        missing("the Git repository", f"Git cannot list what is checked in ({listed.stderr.strip()})")
    paths = (REPOSITORY / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]
