"""Looking through a dead-letter queue and leaving it as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from orders_cli.console import Advance
from orders_cli.queue import Message, Queue

Read = TypeVar("Read")


def look_through(queue: Queue, read: Callable[[Message], Read], advance: Advance = lambda _: None) -> list[Read]:
    """Return what `read` makes of each visible message, and make all of them visible again.

    Nothing of a message is kept but what `read` returns, so that a queue of many needs little memory.
    """
    found: list[Read] = []
    with released(queue) as hidden:
        for batch in queue.sweep():
            hidden += [message["ReceiptHandle"] for message in batch]
            found += map(read, batch)
            advance(len(batch))
    return found


@contextmanager
def released(queue: Queue) -> Iterator[list[str]]:
    """Yield a list for the receipt handles of hidden messages; whatever happens, they are made visible at the end."""
    handles: list[str] = []
    try:
        yield handles
    finally:
        queue.release(handles)
