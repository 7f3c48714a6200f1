"""What a newcomer is told where the virtual environment cannot be set up, and that nothing broken is left behind."""

import fcntl
import io
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import set_up_venv
from set_up_venv import SetUpError

Steps = list[list[str]]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout in the current folder, with a Python that works."""
    for name in set_up_venv.LOCKS.values():
        (tmp_path / name).write_text("one==1 --hash=sha256:0\n    # via two\ntwo==2 --hash=sha256:0\n")
    (tmp_path / "scripts").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_python(checkout: Path) -> None:
    """Put a Python that has pip into the environment; a link to one of another environment would not find its packages."""
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)


@pytest.fixture
def steps(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Steps]:
    """Play the programs that make the environment and install into it: those named fail, after half of their work."""

    def play(*failing: str) -> Steps:
        called: Steps = []

        def follow(command: list[str]) -> int:
            called.append(command)
            module = command[command.index("-m") + 1]
            if module == "venv":
                (checkout / ".venv" / "bin").mkdir(parents=True)
                if module not in failing:
                    put_python(checkout)
            return int(module in failing)

        monkeypatch.setattr(set_up_venv, "follow", follow)
        return called

    return play


def test_an_empty_checkout_gets_an_environment_with_exactly_what_is_pinned(
    checkout: Path, steps: Callable[..., Steps], capsys: pytest.CaptureFixture[str]
) -> None:
    called = steps()

    set_up_venv.set_up("run", checkout)

    made, installed = called
    assert made[-3:] == ["-m", "venv", str(checkout / ".venv")]
    assert installed[0] == str(checkout / ".venv" / "bin" / "python")
    assert "--require-hashes" in installed
    assert installed[-1] == str(checkout / "requirements-run.txt")
    assert capsys.readouterr().out == (
        "Making the virtual environment .venv\nInstalling 2 packages from requirements-run.txt; once, until it changes\n"
    )
    set_up_venv.set_up("run", checkout)
    assert len(called) == 2, "the second time there is nothing to do"


def test_what_another_set_up_has_done_meanwhile_is_not_done_again(
    checkout: Path, steps: Callable[..., Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = steps()

    def waits_for_another(*_: object) -> None:
        (checkout / ".venv" / "bin").mkdir(parents=True)
        put_python(checkout)
        set_up_venv.record("test", checkout)

    monkeypatch.setattr(fcntl, "flock", waits_for_another)
    set_up_venv.set_up("run", checkout)
    assert called == []


def test_an_environment_that_cannot_be_made_leaves_no_half_of_one(checkout: Path, steps: Callable[..., Steps]) -> None:
    steps("venv")
    with pytest.raises(SetUpError, match=r"^\.venv could not be made; the reason is above\.$"):
        set_up_venv.set_up("run", checkout)
    assert not (checkout / ".venv").exists()


def test_packages_that_cannot_be_installed_are_told_with_where_pip_gets_them_and_tried_again(
    checkout: Path, steps: Callable[..., Steps]
) -> None:
    steps("pip")
    with pytest.raises(SetUpError, match=r"^pip could not install requirements-run\.txt; .*`pip config list`"):
        set_up_venv.set_up("run", checkout)
    assert not set_up_venv.is_satisfied("run", checkout)
    assert not (checkout / ".venv" / "bin" / "orders").exists()

    called = steps()
    set_up_venv.set_up("run", checkout)
    [installed] = called
    assert "install" in installed, "the environment itself was whole"


@pytest.mark.parametrize("arguments", [[], ["everything"], ["run", "test"]])
def test_a_wrong_command_line_is_told_the_right_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert set_up_venv.main(arguments) == 2
    assert capsys.readouterr().err == "usage: set_up_venv.py run|plan|test\n"


def test_a_failure_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise SetUpError("python is too old.")

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(set_up_venv, "set_up", fails)
    assert set_up_venv.main(["run"]) == 1
    assert capsys.readouterr().err == "set-up: python is too old.\n"
    monkeypatch.setattr(set_up_venv, "set_up", lambda *_: None)
    assert set_up_venv.main(["run"]) == 0


class Screen(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_overwrites_itself_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    clock = iter(range(100))
    monkeypatch.setattr(set_up_venv, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(sys, "stdout", screen)

    set_up_venv.follow(["sh", "-c", f"echo Collecting one; echo {'x' * 200}"])

    shown = screen.getvalue().split("\r\x1b[2K")
    assert [line.strip() for line in shown[:2]] == ["", "1 s  Collecting one"]
    assert len(shown[2]) == set_up_venv.PROGRESS_COLUMNS
    assert shown[3:] == [""]


def test_in_a_log_progress_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0, 1, set_up_venv.PROGRESS_SECONDS, set_up_venv.PROGRESS_SECONDS + 1])
    monkeypatch.setattr(set_up_venv, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    set_up_venv.follow(["sh", "-c", "echo one; echo two; echo three"])
    assert capsys.readouterr().out == f"  {set_up_venv.PROGRESS_SECONDS:3.0f} s  two\n"
