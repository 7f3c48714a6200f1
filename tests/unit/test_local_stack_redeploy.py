"""Source changes are detected; packages whose handlers cannot be imported are rejected."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from local_stack import LocalStackError, redeploy


@pytest.mark.parametrize("error", [OSError("no watch left"), RuntimeError("no instance left")])
def test_directory_is_polled_when_watches_are_exhausted(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_watches(*paths: Path, force_polling: bool = False, **options: Any) -> Iterator[set[Any]]:
        if not force_polling:
            raise error
        yield from watchfiles.watch(*paths, force_polling=True, **options)

    monkeypatch.setattr(redeploy, "watch", without_watches)
    changes = redeploy.changes_in(tmp_path)
    (tmp_path / "new.py").touch()
    assert next(each for each in changes if each)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def handler(:", "lambda/orders/handlers/status.py, line 1: SyntaxError: invalid syntax"),
        ("import missing", "lambda/orders/handlers/status.py, line 1: ModuleNotFoundError: No module named 'missing'"),
        ("", "AttributeError: module 'orders.handlers.status' has no attribute 'handler'"),
        ("raise SystemExit(3)", "exit status 3"),
        ("while True: pass", "the import of its handlers takes longer than 1 s"),
    ],
)
def test_handler_that_cannot_be_imported_is_rejected(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("orders/handlers/status.py", source)
    monkeypatch.setattr(redeploy, "_IMPORT_SECONDS", 1 if "while" in source else 30)
    with pytest.raises(LocalStackError) as failure:
        redeploy.require_handlers(package, ["status"], {})
    assert str(failure.value) == reason
