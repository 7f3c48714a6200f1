"""Packages whose handlers cannot be imported are rejected."""

import zipfile
from pathlib import Path

import pytest

from local_stack import LocalStackError, redeploy


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def handler(:", "lambda/orders/handlers/status.py, line 1: SyntaxError: invalid syntax"),
        ("import missing", "lambda/orders/handlers/status.py, line 1: ModuleNotFoundError: No module named 'missing'"),
        ("", "AttributeError: module 'orders.handlers.status' has no attribute 'handler'"),
        ("raise SystemExit(3)", "exit status 3"),
        ("import time; time.sleep(9)", "the import of its handlers takes longer than 1 s"),
    ],
)
def test_handler_that_cannot_be_imported_is_rejected(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("orders/handlers/status.py", source)
    monkeypatch.setattr(redeploy, "_IMPORT_SECONDS", 1 if "sleep" in source else 30)
    with pytest.raises(LocalStackError) as failure:
        redeploy.require_handlers(package, ["status"], {})
    assert str(failure.value) == reason
