"""Exit on damaged state, and report a failed save, where ministack 1.5.33 logs both and continues."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ministack.core import persistence

SAVED = "saved"
"""The file that is touched in the state directory after a complete save."""


class _Failures(logging.Handler):
    """Collects the errors that ministack logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def state_on_disk(directory: Path) -> Iterator[None]:
    """Exit with a message if the state in `directory` cannot be read, or if it cannot be saved at the end."""
    require_readable_state(directory)
    failures = _Failures()
    persistence.logger.addHandler(failures)
    yield
    if failures.texts:
        sys.exit(f"The state could not be saved completely under {directory}: {'; '.join(failures.texts)}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SAVED).touch()


def require_readable_state(directory: Path) -> None:
    """Exit with a message if a file of state cannot be read."""
    for file in sorted(directory.glob("*.json")):
        if persistence.load_state(file.stem) is None:
            sys.exit(
                f"{file} cannot be read: it is damaged, or a newer emulator wrote it. "
                f"Repair it, or move {directory} away to start without its data."
            )
