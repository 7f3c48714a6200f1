"""The set-up of .venv, in a small checkout whose lock file pins one wheel of a local folder.

Creating an environment takes seconds, so one is shared, and the tests change copies.
"""

import copy
import hashlib
import os
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
        self.lock(hashlib.sha256(wheel.read_bytes()).hexdigest())

    def lock(self, digest: str, version: str = "1.0") -> None:
        for name in set_up_venv.LOCKS.values():
            (self.root / name).write_text(f"one=={version} \\\n    --hash=sha256:{digest}\n    # via {name}\n")

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

    def set_up(self) -> tuple[int, str, str]:
        with self.start() as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with .venv."""
    checkout = Checkout(tmp_path_factory.mktemp("set-up") / "a 'quoted' checkout $HOME")
    created = "Creating the virtual environment .venv\nInstalling 1 packages from requirements-run.txt\n"
    assert checkout.set_up() == (0, created, "")
    return checkout


@pytest.fixture
def copied(installed: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the checkout, at another path."""
    root = tmp_path / "a 'quoted' copy $HOME"
    shutil.copytree(installed.root, root, symlinks=True)
    copy_of = copy.copy(installed)
    copy_of.root = root
    return copy_of


def output_of(program: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": "/nowhere", "PYTHONSAFEPATH": "1"}
    ran = subprocess.run([program, *arguments], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return f"{ran.returncode} {ran.stdout.strip()}"


def test_second_run_installs_nothing(installed: Checkout) -> None:
    assert installed.set_up() == (0, "", "")


def test_moved_checkout_works_and_is_repaired(copied: Checkout, tmp_path: Path) -> None:
    moved = copied.root.rename(tmp_path / ("moved " * 40))
    (tmp_path / "link").symlink_to(moved / ".venv" / "bin" / "orders")
    program = moved / "scripts" / "orders_cli" / "program.py"
    assert output_of(tmp_path / "link", "list", "a b") == f"7 {program} ['list', 'a b']"
    assert output_of(moved / ".venv" / "bin" / "one") == "0 one"

    copied.root = moved
    status, out, _ = copied.set_up()
    assert (status, out.splitlines()[0]) == (0, "Repairing .venv, because its folder was moved or copied")
    assert str(moved) in (moved / ".venv" / "bin" / "activate").read_text()

    valid_lock = (moved / "requirements-run.txt").read_text()
    shutil.copy(moved / "one-1.0-py3-none-any.whl", moved / "one-2.0-py3-none-any.whl")
    copied.lock("0" * 64, version="2.0")
    status, _, err = copied.set_up()
    assert status == 1
    assert "DO NOT MATCH THE HASHES" in err
    assert "set-up: pip cannot install requirements-run.txt. Check `pip config list`, and run this again.\n" in err
    (moved / "requirements-run.txt").write_text(valid_lock)
    assert copied.set_up() == (0, "", ""), "a failed update must not change the environment"


def test_broken_or_interrupted_environment_is_replaced_once(copied: Checkout) -> None:
    python = copied.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/removed/by/an/upgrade")
    with copied.start() as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Creating")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "\nset-up: stopped. Run this again to complete it.\n")

    left_over = copied.root / ".venv" / "half"
    left_over.touch()
    processes = [copied.start() for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert "".join(out for out, _ in ended).count("Installing") == 1
    assert not left_over.exists()
    assert output_of(copied.root / ".venv" / "bin" / "one") == "0 one"


@pytest.mark.parametrize("removed", range(4))
def test_interrupted_removal_starts_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int) -> None:
    environment, removals, remove = tmp_path / ".venv", iter(range(9)), os.unlink
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    for path in ("bin/activate", "a", "installed"):
        (environment / path).touch()

    def interrupt(path: str, *, dir_fd: int | None = None) -> None:
        if next(removals) == removed:
            raise KeyboardInterrupt
        remove(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", interrupt)
    with pytest.raises(KeyboardInterrupt):
        set_up_venv.install(environment, "run", tmp_path)
    assert set_up_venv.read_record(environment) == "" or not set_up_venv.works(environment)


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
    ],
)
def test_missing_prerequisite_is_reported(
    tmp_path: Path, folder: bytes, module: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else object())
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + folder))
    root.mkdir()
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
