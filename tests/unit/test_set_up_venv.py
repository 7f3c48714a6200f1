"""The set-up of .venv, in a small checkout whose lock file pins one wheel of a local folder."""

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import pytest

import set_up_venv

TOOL = "import sys\ndef main():\n    print(__file__, sys.argv[1:])\n    sys.exit(7)\n"


class Checkout:
    """A folder with the set-up program and a lock file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path in ("scripts/orders_cli/program.py", "scripts/planning/__main__.py"):
            (root / path).parent.mkdir(parents=True)
            (root / path).write_text(TOOL)
        (root / "lambda").mkdir()
        shutil.copy(set_up_venv.__file__, root / "scripts")
        wheel = root / "one-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("one.py", "def main():\n    print('one')\n")
            archive.writestr("one-1.0.dist-info/METADATA", "Name: one\nVersion: 1.0\n")
            archive.writestr("one-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
            archive.writestr("one-1.0.dist-info/entry_points.txt", "[console_scripts]\none = one:main\n")
            archive.writestr("one-1.0.dist-info/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        for name in set_up_venv.LOCKS.values():
            (root / name).write_text(f"one==1.0 \\\n    --hash=sha256:{digest}\n    # via {name}\n")

    def start(self) -> "subprocess.Popen[str]":
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.root.as_uri(), "PIP_CONFIG_FILE": os.devnull}
        misleading = {"PYTHONPATH": "/nowhere", "PIP_TARGET": "/nowhere", "PIP_USER": "1"}
        return subprocess.Popen(
            [sys.executable, "-I", self.root / "scripts" / "set_up_venv.py", "run"],
            cwd=self.root,
            env={**os.environ, **index, **misleading},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def output_of(program: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": "/nowhere", "PYTHONSAFEPATH": "1"}
    ran = subprocess.run([program, *arguments], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return f"{ran.returncode} {ran.stdout.strip()}"


def test_environment_is_created_once_after_an_interruption_and_works_after_a_move(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a 'quoted' checkout $HOME")
    with checkout.start() as process:
        assert process.stdout
        assert process.stdout.readline() == "Creating the virtual environment .venv\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "\nset-up: stopped. Run this again to complete it.\n")

    with (checkout.root / ".local" / "set-up.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a command of the interrupted set-up may outlive it
    processes = [checkout.start() for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in processes]
    created = "Creating the virtual environment .venv\nInstalling 1 packages from requirements-run.txt\n"
    assert sorted(ended) == [(created, ""), ("Waiting for another set-up of .venv\n", "")]

    moved = checkout.root = checkout.root.rename(tmp_path / ("moved " * 40))
    (tmp_path / "link").symlink_to(moved / ".venv" / "bin" / "orders")
    program = moved / "scripts" / "orders_cli" / "program.py"
    assert output_of(tmp_path / "link", "list", "a b") == f"7 {program} ['list', 'a b']"
    assert output_of(moved / ".venv" / "bin" / "one") == "0 one"
    assert checkout.start().communicate(timeout=60) == ("", "")
    activate = f'. {shlex.quote(str(moved / ".venv" / "bin" / "activate"))}; echo "$VIRTUAL_ENV"; command -v one'
    assert subprocess.check_output(["sh", "-c", activate], text=True) == f"{moved}/.venv\n{moved}/.venv/bin/one\n"


LOCK = "one==1.0 \\\n    --hash=sha256:00\n"


@pytest.mark.parametrize(
    ("record", "python", "creates", "left"),
    [
        (b"one==0.9", sys.executable, False, "one==0.9"),
        (b"\xff", sys.executable, False, "\ufffd"),
        (b"one==0.9", "/removed/by/an/upgrade", True, ""),
        (b"", sys.executable, True, ""),
    ],
)
def test_environment_without_python_or_record_is_created_again(
    tmp_path: Path, record: bytes, python: str, creates: bool, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, lock, commands = tmp_path / ".venv", tmp_path / "requirements-run.txt", list[str]()
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(python)
    (environment / set_up_venv.RECORD).write_bytes(record)
    lock.write_text(LOCK)

    def follow(command: list[str], failure: str) -> None:
        assert re.fullmatch(r".+ cannot .+\. (Check|Fix) .+", failure)
        commands.append(" ".join(command))

    monkeypatch.setattr(set_up_venv, "follow", follow)
    set_up_venv.install(environment, lock)
    assert [" venv --clear " in command for command in commands] == [True, False][not creates :]
    assert set_up_venv.read_record(environment) == LOCK

    def fail(command: list[str], failure: str) -> None:
        if "pip" in command:
            raise set_up_venv.SetUpError(failure)

    (environment / set_up_venv.RECORD).write_bytes(record)
    monkeypatch.setattr(set_up_venv, "follow", fail)
    with pytest.raises(set_up_venv.SetUpError, match=r"^pip cannot install requirements-run\.txt\. Check `pip config"):
        set_up_venv.install(environment, lock)
    assert set_up_venv.read_record(environment) == left


def test_output_of_a_failed_command_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(set_up_venv.SetUpError, match="pip cannot install it"):
        set_up_venv.follow(["sh", "-c", "echo the hash differs; exit 1"], "pip cannot install it")
    assert capsys.readouterr() == ("", "the hash differs\n")


def test_larger_lock_includes_the_smaller_ones() -> None:
    def pins(purpose: str) -> set[str]:
        lines = (set_up_venv.REPOSITORY / set_up_venv.LOCKS[purpose]).read_text().splitlines()
        return {line.split()[0] for line in lines if line[:1].isalnum()}

    assert pins("run") < pins("test")


@pytest.mark.parametrize(
    ("folder", "module", "reason"),
    [
        (b"shop", "ensurepip", r"cannot create virtual environments\. .*python3-venv"),
        (b"caf\xe9", "", "is not valid UTF-8"),
        (b"link", "", r"^\.venv is a symbolic link, .* Delete the link$"),
    ],
)
def test_missing_prerequisite_is_reported(
    tmp_path: Path, folder: bytes, module: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else object())
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + folder))
    root.mkdir()
    if folder == b"link":
        (root / ".venv").symlink_to(tmp_path)
    (root / "requirements-run.txt").touch()
    (root / "requirements-test.txt").touch()
    with pytest.raises(set_up_venv.SetUpError, match=reason):
        set_up_venv.set_up("run", root)


def test_unwritable_folder_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(28, "No space left on device", str(set_up_venv.REPOSITORY / ".local"))
    monkeypatch.setattr(set_up_venv, "set_up", MagicMock(side_effect=error))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(set_up_venv.REPOSITORY)
    assert set_up_venv.main("run") == 1
    assert capsys.readouterr().err == (
        "set-up: .local: No space left on device. Check permissions and free space, and run this again.\n"
    )
