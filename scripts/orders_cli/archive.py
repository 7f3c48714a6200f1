"""An archive of dropped messages: a file with one JSON object per line. `orders dlq redrive --from` reads it.

{"message_id": "…", "order_id": "…", "reason": "…", "sent_at": "…", "receives": 5, "dropped_at": "…", "body": "…"}
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from orders_cli.dead_letters import DeadLetter, Kind, Reason
from orders_cli.errors import OperatorError


@contextmanager
def new_archive(path: Path) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Create a file that only its owner can read, and yield a function that appends entries and syncs them.

    Raises OperatorError if the file cannot be created or written. An empty file is removed at the end, so the same
    command can be run again.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OperatorError(f"{path} cannot be created ({error.strerror}). Name another file with --to.") from error
    with os.fdopen(descriptor, "wb", buffering=0) as file:

        def append(entries: Sequence[Mapping[str, Any]]) -> None:
            try:
                rest = memoryview(b"".join(json.dumps(entry).encode("ascii") + b"\n" for entry in entries))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError as error:
                raise OperatorError(f"{path} cannot be written ({error.strerror}). Name another file.") from error

        try:
            directory = os.open(path.absolute().parent, os.O_RDONLY)
            with suppress(OSError):  # some file systems cannot sync a directory
                os.fsync(directory)
            os.close(directory)
            yield append
        finally:
            if path.stat().st_size == 0:
                path.unlink()


def read_archive(file: BinaryIO) -> list[DeadLetter]:
    """Return the messages of an archive; raise OperatorError if the file is not one.

    An incomplete last line is skipped: its message was not dropped.
    """
    return [_read(file.name, number, line) for number, line in enumerate(file, start=1) if line.endswith(b"\n")]


def _read(name: str, number: int, line: bytes) -> DeadLetter:
    try:
        entry = json.loads(line)
        message_id, body, reason = (entry[key] for key in ("message_id", "body", "reason"))
        if not all(isinstance(text, str) and text for text in (message_id, body, reason)):
            raise TypeError
        sent_at = datetime.fromisoformat(entry["sent_at"])
        if sent_at.tzinfo is None:
            raise ValueError
        return DeadLetter(message_id, entry.get("order_id"), sent_at, 0, Reason(reason, Kind.REFUSED), body=body)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"Line {number} of {name} is not a dropped message. Name a file that `orders dlq drop` wrote."
        raise OperatorError(reason) from error
