"""Exit on damaged state, and report a failed save, where ministack 1.5.33 logs both and continues."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler
from pathlib import Path

from ministack.core import persistence

SAVED = "saved"
"""The file that is touched in the state directory after a complete save."""


@contextmanager
def state_on_disk(directory: Path) -> Iterator[None]:
    """Exit with a message if the state in `directory` cannot be read, or if it cannot be saved at the end."""
    require_readable_state(directory)
    failures = BufferingHandler(capacity=sys.maxsize)
    failures.setLevel(logging.ERROR)
    persistence.logger.addHandler(failures)
    yield
    if failures.buffer:
        reasons = "; ".join(record.getMessage() for record in failures.buffer)
        sys.exit(f"The state could not be saved completely under {directory}: {reasons}")
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
