"""Git commands of the tests ignore a hook's environment; a clone has LF line endings."""

from pathlib import Path

import pytest

from support.repository.files import REPOSITORY, checked_in_files
from support.repository.git import git
from support.storefront.web_server import add_repository


def test_git_calls_leave_the_repository_of_a_hook_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "scratch"
    git(tmp_path, "init", "--quiet", str(clone)).check_returncode()
    (clone / "kept").write_text("kept\n")
    git(clone, "add", "--all").check_returncode()
    repository = clone / ".git"
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    for name, value in {
        "GIT_DIR": repository,
        "GIT_WORK_TREE": clone,
        "GIT_INDEX_FILE": repository / "index",
        "GIT_OBJECT_DIRECTORY": repository / "objects",
    }.items():
        monkeypatch.setenv(name, str(value))
    add_repository(tmp_path / "machine")
    assert REPOSITORY / "Makefile" in checked_in_files("Makefile")
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before
    assert git(tmp_path / "machine" / "srv" / "repository", "log", "--format=%s").stdout == "Storefront\n"


def test_clone_has_lf_line_endings_when_git_converts_to_crlf(tmp_path: Path) -> None:
    files = [path.relative_to(REPOSITORY) for path in checked_in_files()]
    source, clone = tmp_path / "source", tmp_path / "clone"
    for path in files:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((REPOSITORY / path).read_bytes())
    git(tmp_path, "init", "--quiet", str(source)).check_returncode()
    git(source, "add", "--all").check_returncode()
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
    git(source, *identity, "commit", "--quiet", "--message", "All").check_returncode()
    git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=true", str(source), str(clone)).check_returncode()
    assert [path for path in files if b"\r\n" in (clone / path).read_bytes()] == []
