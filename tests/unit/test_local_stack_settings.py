"""The settings of `make run`, which are validated before anything is started."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local_stack import LocalStackError, Settings
from local_stack import __main__ as program
from local_stack.deployment import deployment_by
from local_stack.machine import RunLock
from support.repository.files import REPOSITORY


def test_settings_are_read_from_the_environment() -> None:
    given = {"PORT": "8081", "AWS_PORT": "4567", "DEPLOY": "pulumi"}
    expected = Settings(8081, 4567, "pulumi", redeploy_from=REPOSITORY)
    assert Settings.from_environment(given) == expected
    for variables in ({}, dict.fromkeys(given, "")):
        assert Settings.from_environment(variables) == Settings(redeploy_from=REPOSITORY)


PORTS = ["abc", "0", "65536", "-1", "80.0", "8_0", " 80", "٨٠", "9" * 5000]


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        *(("PORT", text, "is not a port: give a whole number from 1 to 65535") for text in PORTS),
        ("AWS_PORT", "abc", "is not a port"),
        ("PORT", "4566", "PORT and AWS_PORT are both 4566"),
    ],
)
def test_invalid_setting_is_rejected(variable: str, text: str, reason: str) -> None:
    with pytest.raises(LocalStackError, match=reason) as rejected:
        Settings.from_environment({variable: text})
    assert str(rejected.value).startswith((f"{variable}={text} ", "PORT and AWS_PORT"))


def test_program_ends_without_a_traceback_when_its_imports_are_interrupted(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise KeyboardInterrupt")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY / 'scripts'}"}
    command = [sys.executable, "-m", "local_stack"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "")


def test_unknown_deployment_is_rejected(tmp_path: Path) -> None:
    with RunLock(tmp_path) as lock, pytest.raises(LocalStackError, match=r"^DEPLOY=pulumi .* choose .*terraform"):
        deployment_by(Settings(deploy="pulumi"), tmp_path, lock)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ECONNRESET, None])
def test_failure_is_reported_in_one_sentence(
    number: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    if number is None:
        monkeypatch.setenv("PORT", "abc")
        expected = "PORT=abc is not a port: give a whole number from 1 to 65535, such as PORT=8080."
    else:
        error = OSError(number, os.strerror(number), str(Path.cwd() / ".local" / "stack.json"))
        monkeypatch.setattr(program, "LocalStack", MagicMock(side_effect=error))
        advice = "check the permissions and the free space of the project's folder, and try again."
        expected = f".local/stack.json cannot be written ({os.strerror(number)}): {advice}"
    if number == errno.ECONNRESET:  # not a disk error
        with pytest.raises(ConnectionResetError):
            program.main()
        return
    assert program.main() == 1
    assert capsys.readouterr() == ("", f"\nmake run: {expected}\n")
