"""When .venv is left alone, when it is made anew, and what is said where it cannot be."""

import errno
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import set_up_venv
from waiting import wait_for


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with all locks and an environment that works, in which nothing has been installed."""
    for name in set_up_venv.LOCKS.values():
        (tmp_path / name).write_text("package==1 --hash=sha256:0\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    # All that makes it one: on Debian the Python below it has no pip of its own.
    for part in ("bin/python", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    return tmp_path


@pytest.mark.parametrize("purpose", ["run", "plan", "test"])
def test_what_has_been_installed_is_not_installed_again(root: Path, purpose: str) -> None:
    set_up_venv.record(purpose, root)
    assert set_up_venv.is_satisfied(purpose, root)


@pytest.mark.parametrize(("larger", "smaller"), [("test", "run"), ("test", "plan"), ("plan", "run")])
def test_a_larger_set_holds_all_of_a_smaller_one(root: Path, larger: str, smaller: str) -> None:
    set_up_venv.record(larger, root)
    assert set_up_venv.is_satisfied(smaller, root)


@pytest.mark.parametrize(("smaller", "larger"), [("run", "test"), ("plan", "test"), ("run", "plan")])
def test_a_smaller_set_is_not_all_of_a_larger_one(root: Path, smaller: str, larger: str) -> None:
    set_up_venv.record(smaller, root)
    assert not set_up_venv.is_satisfied(larger, root)


def test_a_changed_lock_is_installed(root: Path) -> None:
    set_up_venv.record("run", root)
    (root / "requirements-run.txt").write_text("package==2 --hash=sha256:0\n")
    assert not set_up_venv.is_satisfied("run", root)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_an_environment_of_unknown_content_is_installed_into(root: Path, text: str) -> None:
    set_up_venv.record_path(root).write_text(text)
    assert not set_up_venv.is_satisfied("run", root)


def test_each_lock_pins_all_that_the_one_before_it_pins() -> None:
    def pins(purpose: str) -> set[str]:
        text = (set_up_venv.REPOSITORY / set_up_venv.LOCKS[purpose]).read_text()
        return {line.split()[0] for line in text.splitlines() if line[:1].isalnum()}

    assert pins("run") < pins("plan") < pins("test")


def test_an_environment_whose_python_is_gone_is_broken(root: Path) -> None:
    assert set_up_venv.works(root / ".venv")
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/gone/after/an/upgrade")
    assert not set_up_venv.works(root / ".venv")


def test_the_operators_command_is_put_into_an_environment_that_needs_nothing_else(root: Path) -> None:
    set_up_venv.record("run", root)
    set_up_venv.set_up("run", root)
    assert os.access(root / ".venv" / "bin" / "orders", os.X_OK)


def test_the_operators_command_is_mended_and_otherwise_left_alone(root: Path) -> None:
    set_up_venv.install_commands(root)
    command = root / ".venv" / "bin" / "orders"
    first = command.stat()
    set_up_venv.install_commands(root)
    assert command.stat() == first
    for damage in (command.unlink, lambda: command.write_text("#!/bin/sh\nold\n"), lambda: command.chmod(0o644)):
        whole = command.read_text()
        damage()
        set_up_venv.install_commands(root)
        assert command.read_text() == whole
        assert os.access(command, os.X_OK)
    assert sorted(file.name for file in command.parent.iterdir()) == ["orders", "orders-plan", "python"]


def test_the_operators_command_runs_the_tool_of_its_own_checkout_from_anywhere(tmp_path: Path) -> None:
    # A path that a shell, or the first line of a script, could stumble over.
    root = tmp_path / "a 'quoted' checkout $HOME" / ("long" * 40)
    tool = root / "scripts" / "orders_cli"
    tool.mkdir(parents=True)
    (tool / "__init__.py").touch()
    (tool / "program.py").write_text("import sys\ndef main():\n    print(__file__, sys.argv[1:])\n    sys.exit(7)\n")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    set_up_venv.install_commands(root)
    link = tmp_path / "orders"
    link.symlink_to(root / ".venv" / "bin" / "orders")

    answer = subprocess.run(
        [link, "list", "--customer", "a b"],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stderr) == (7, "")
    assert answer.stdout == f"{tool / 'program.py'} {['list', '--customer', 'a b']}\n"


def test_an_old_python_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 6))
    with pytest.raises(set_up_venv.SetUpError, match=r"is Python 3\.9\.6, but 3\.11 or newer is needed: .*PYTHON="):
        set_up_venv.require_usable_python()


def test_a_python_without_venv_support_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(set_up_venv.SetUpError, match=r"cannot make virtual environments: .*python3-venv"):
        set_up_venv.require_usable_python()


def test_what_failed_is_shown_whole(capfd: pytest.CaptureFixture[str]) -> None:
    assert set_up_venv.follow(["sh", "-c", "echo first; echo second >&2; exit 3"]) == 3
    assert capfd.readouterr().err == "first\nsecond\n"


def test_what_succeeded_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert set_up_venv.follow(["sh", "-c", "echo done"]) == 0
    assert capfd.readouterr() == ("", "")


def test_pip_is_not_led_elsewhere_by_settings_of_the_person(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in set_up_venv.MISLEADING_VARIABLES:
        monkeypatch.setenv(name, "/elsewhere")
    set_up_venv.follow(["sh", "-c", "env; false"])
    assert "/elsewhere" not in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_set_up_stops_what_it_runs_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    program = f"""
import sys, set_up_venv
set_up_venv.set_up = lambda *_: set_up_venv.follow(["sh", "-c", "echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 300"])
sys.exit(set_up_venv.main(["run"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(set_up_venv.REPOSITORY / "scripts")},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for("the child", (tmp_path / "pid").exists)
    child = int((tmp_path / "pid").read_text())
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "set-up: stopped; the next run goes on from here"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(set_up_venv.REPOSITORY / ".local"))

    monkeypatch.setattr(set_up_venv, "set_up", refuse)
    monkeypatch.chdir(set_up_venv.REPOSITORY)
    assert set_up_venv.main(["run"]) == 1
    assert capsys.readouterr().err == (
        f"set-up: .local cannot be written ({os.strerror(number)}): "
        "see that the project lies where you may write and there is room, and try again.\n"
    )
