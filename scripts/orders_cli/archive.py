"""Dropped messages in a file, from which they can be brought back: one JSON object a line.

{"message_id": "…", "order_id": "…", "reason": "…", "sent_at": "…", "dropped_at": "…", "attributes": {…}, "body": "…"}
"""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from orders.domain.order import format_timestamp
from orders_cli.dead_letters import DeadLetter
from orders_cli.errors import OperatorError
from orders_cli.queue import Message


class Archive:
    """A new file that takes messages before they are dropped."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def keep(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write entries; when this returns they are on the disk."""
        self._file.write(b"".join(json.dumps(entry).encode("ascii") + b"\n" for entry in entries))
        self._file.flush()
        os.fsync(self._file.fileno())


def require_new(path: Path) -> None:
    """Raise OperatorError where there is a file already, before anybody is asked anything."""
    if os.path.lexists(path):
        raise OperatorError(f"{path} is there already and is not overwritten: name another file with --to.")


@contextmanager
def new_archive(path: Path) -> Iterator[Archive]:
    """Make a new file at `path`, readable by its owner only, and yield what writes to it.

    Raises OperatorError where there is a file already, which is never touched, or none can be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        require_new(path)
        raise OperatorError(f"{path} cannot be made ({error.strerror}): name another file with --to.") from error
    with os.fdopen(descriptor, "wb") as file:
        # The name in the directory must last as the content does.
        directory = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        yield Archive(file)


def entry_of(
    message: Message, *, order_id: str | None, reason: str, sent_at: datetime, now: datetime
) -> dict[str, Any]:
    """Return what the file keeps of a message."""
    return {
        "message_id": message["MessageId"],
        "order_id": order_id,
        "reason": reason,
        "sent_at": format_timestamp(sent_at),
        "dropped_at": format_timestamp(now),
        "attributes": {name: _to_text(value) for name, value in message.get("MessageAttributes", {}).items()},
        "body": message["Body"],
    }


def read_archive(path: Path) -> Iterator[tuple[Message, DeadLetter, str]]:
    """Yield each message of a file with what it is and the reason that the file gives.

    The end of a last line that was never finished is passed over: its message was not dropped. Raises OperatorError
    where the file cannot be read or holds something else.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _read(path, number, line)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror}).") from error


def _read(path: Path, number: int, line: bytes) -> tuple[Message, DeadLetter, str]:
    try:
        entry = json.loads(line)
        body, message_id, reason = entry["body"], entry["message_id"], entry["reason"]
        if not (isinstance(body, str) and body and isinstance(message_id, str) and isinstance(reason, str)):
            raise TypeError
        attributes = {name: _from_text(value) for name, value in entry["attributes"].items()}
        letter = DeadLetter(message_id, entry["order_id"], None, datetime.fromisoformat(entry["sent_at"]), 0)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise OperatorError(
            f"Line {number} of {path} is no dropped message: only a file that `orders dlq drop` has written can be "
            "brought back."
        ) from error
    return {"MessageId": message_id, "Body": body, "MessageAttributes": attributes}, letter, reason


def _to_text(value: Mapping[str, Any]) -> dict[str, str]:
    if "BinaryValue" in value:
        return {"DataType": value["DataType"], "BinaryValue": base64.b64encode(value["BinaryValue"]).decode("ascii")}
    return {"DataType": value["DataType"], "StringValue": value["StringValue"]}


def _from_text(value: Mapping[str, str]) -> dict[str, Any]:
    if "BinaryValue" in value:
        return {"DataType": value["DataType"], "BinaryValue": base64.b64decode(value["BinaryValue"], validate=True)}
    return {"DataType": value["DataType"], "StringValue": value["StringValue"]}
