"""Refuse to start on damaged state, and report a failed save, where ministack 1.5.33 logs both and continues."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ministack.core import persistence

SAVED = "saved"
"""The file beside the state that is touched when all of it has been written."""


class _Failures(logging.Handler):
    """Keeps what ministack logs as failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def state_on_disk(directory: Path) -> Iterator[None]:
    """Exit with a sentence unless all state under `directory` can be read, and later unless all has been written."""
    require_readable_state(directory)
    failures = _Failures()
    persistence.logger.addHandler(failures)
    yield
    if failures.texts:
        sys.exit(f"Not all could be saved under {directory}: {'; '.join(failures.texts)}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SAVED).touch()


def require_readable_state(directory: Path) -> None:
    """Exit with a sentence that names the first file of state that cannot be read, if there is one."""
    for file in sorted(directory.glob("*.json")):
        if persistence.load_state(file.stem) is None:
            sys.exit(
                f"{file} cannot be read: it is damaged, or a newer emulator wrote it. "
                f"Repair it, or move {directory} away to begin without what it holds."
            )
