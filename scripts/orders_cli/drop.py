"""Dropping dead letters: into a file first, and only then out of their queue."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from orders_cli.archive import new_archive
from orders_cli.console import progress
from orders_cli.queue import Message, Queue
from orders_cli.redrive import Moved, take_out


def drop(
    message_ids: AbstractSet[str], *, source: Queue, path: Path, entry: Callable[[Message], Mapping[str, Any]]
) -> Moved:
    """Delete the messages of these ids from `source`, each after its `entry` is on the disk, in a new file at `path`.

    Raises OperatorError where the file is there already or cannot be made.
    """
    with new_archive(path) as archive, progress("Dropping", len(message_ids)) as advance:

        def keep(messages: Sequence[Message]) -> Sequence[Message]:
            archive.keep([entry(message) for message in messages])
            return messages

        return take_out(message_ids, source=source, keep_safe=keep, advance=advance)
