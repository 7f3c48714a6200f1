"""Packages whose handlers cannot be imported are rejected; links and disk errors do not stop redeployment."""

import threading
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local_stack import LocalStackError, redeploy


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def handler(:", "lambda/orders/handlers/status.py, line 1: SyntaxError: invalid syntax"),
        ("import missing", "lambda/orders/handlers/status.py, line 1: ModuleNotFoundError: No module named 'missing'"),
        ("", "AttributeError: module 'orders.handlers.status' has no attribute 'handler'"),
        ("print('x'); 1 / 0", "lambda/orders/handlers/status.py, line 1: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "exit status 3"),
        ("raise SystemExit(0)", "exit status 0"),
        ("import time; time.sleep(9)", "the import of its handlers takes longer than 1 s"),
        ("import time; time.sleep(10)", "the import of its handlers takes longer than 30 s"),  # make run is stopped
    ],
)
def test_handler_that_cannot_be_imported_is_rejected(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redeploy, "_IMPORT_SECONDS", 1 if "sleep(9)" in source else 30)
    stop = threading.Event()
    if "sleep(10)" in source:
        stop.set()
    with pytest.raises(LocalStackError) as failure:
        redeploy.require_handlers(_package(tmp_path, source), ["status"], {}, stop)
    assert str(failure.value) == reason


def test_handler_that_prints_at_exit_is_accepted(tmp_path: Path) -> None:
    package = _package(tmp_path, "import atexit; atexit.register(print, 'end')\ndef handler(): ...")
    redeploy.require_handlers(package, ["status"], {}, threading.Event())


def _package(directory: Path, source: str) -> Path:
    package = directory / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("orders/handlers/status.py", source)
    return package


def test_symbolic_link_without_a_file_and_disk_error_do_not_stop_redeployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lambda").mkdir()
    (tmp_path / "lambda" / ".#unsaved.py").symlink_to("me@host.1:2")  # a lock of Emacs
    (tmp_path / "lambda" / "loop.py").symlink_to("loop.py")
    monkeypatch.setattr(redeploy, "tool_environment", MagicMock())
    monkeypatch.setattr(redeploy, "build", MagicMock(side_effect=OSError(28, "No space left on device")))
    report = MagicMock()
    redeploy.Redeployment(tmp_path, MagicMock(), report).step()
    report.line.assert_called_once_with(
        "lambda/ was not deployed, its previous version keeps running: [Errno 28] No space left on device."
    )
