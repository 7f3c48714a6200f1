"""Dropped messages in a file, one JSON object per line, from which they can be redriven.

{"message_id": "…", "order_id": "…", "reason": "…", "sent_at": "…", "dropped_at": "…", "attributes": {…}, "body": "…"}
"""

import base64
import binascii
import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from orders.domain.order import format_timestamp
from orders_cli.dead_letters import DeadLetter, Kind, Reason
from orders_cli.errors import OperatorError
from orders_cli.queue import Message

Keep = Callable[[Sequence[Mapping[str, Any]]], None]
"""Writes entries; when it returns they are on the disk."""


def require_new(path: Path) -> None:
    if os.path.lexists(path):
        raise OperatorError(f"{path} exists already and is not overwritten. Name another file with --to.")


@contextmanager
def new_archive(path: Path) -> Iterator[Keep]:
    """Create a file that only its owner can read, and yield a function that appends entries to it.

    Raises OperatorError if the file exists or cannot be written. A file that is still empty at the end is removed, so
    that the same command can be run again.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        require_new(path)
        raise OperatorError(f"{path} cannot be created ({error.strerror}). Name another file with --to.") from error
    with os.fdopen(descriptor, "wb", buffering=0) as file:

        def keep(entries: Sequence[Mapping[str, Any]]) -> None:
            try:
                rest = memoryview(b"".join(json.dumps(entry).encode("ascii") + b"\n" for entry in entries))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError as error:
                raise OperatorError(
                    f"{path} cannot be written ({error.strerror}). The remaining messages are still in the queue: run "
                    "this again with another --to."
                ) from error

        try:
            _sync_directory(path)
            yield keep
        finally:
            if os.fstat(file.fileno()).st_size == 0:
                path.unlink()


def _sync_directory(path: Path) -> None:
    """Make the file's name durable, on file systems that can do that."""
    try:
        directory = os.open(path.absolute().parent, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise OperatorError(
                f"{path} cannot be made durable ({error.strerror}). Name a file on another disk with --to."
            ) from error
    finally:
        os.close(directory)


def entry_of(message: Message, letter: DeadLetter, now: datetime) -> dict[str, Any]:
    return {
        "message_id": message["MessageId"],
        "order_id": letter.order_id,
        "reason": letter.reason.text,
        "sent_at": format_timestamp(letter.sent_at),
        "dropped_at": format_timestamp(now),
        "attributes": {name: _to_text(value) for name, value in message.get("MessageAttributes", {}).items()},
        "body": message["Body"],
    }


def read_archive(path: Path) -> Iterator[tuple[Message, DeadLetter]]:
    """Yield each message of a file with its letter.

    An incomplete last line is skipped: its message was not dropped. Raises OperatorError if the file cannot be read or
    holds something else.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _read(path, number, line)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror}).") from error


def _read(path: Path, number: int, line: bytes) -> tuple[Message, DeadLetter]:
    try:
        entry = json.loads(line)
        body, message_id, reason = entry["body"], entry["message_id"], entry["reason"]
        if not (isinstance(body, str) and body and isinstance(message_id, str) and isinstance(reason, str)):
            raise TypeError
        attributes = {name: _from_text(value) for name, value in entry["attributes"].items()}
        letter = DeadLetter(
            message_id, entry["order_id"], datetime.fromisoformat(entry["sent_at"]), 0, Reason(reason, Kind.UNKNOWN)
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise OperatorError(
            f"Line {number} of {path} is not a dropped message. Name a file that `orders dlq drop` wrote."
        ) from error
    return {"MessageId": message_id, "Body": body, "MessageAttributes": attributes}, letter


def _to_text(value: Mapping[str, Any]) -> dict[str, str]:
    shown = {name: value[name] for name in ("DataType", "StringValue", "BinaryValue") if name in value}
    return {name: base64.b64encode(v).decode("ascii") if name == "BinaryValue" else v for name, v in shown.items()}


def _from_text(value: Mapping[str, str]) -> dict[str, Any]:
    return {name: base64.b64decode(v, validate=True) if name == "BinaryValue" else v for name, v in value.items()}
