"""One order's way through the functions, from their logs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

from orders_cli.log import LogEvent
from orders_cli.system import FUNCTIONS

# A client that lost its answers has sent the same order in as many requests.
_REQUESTS = 20


class Events(Protocol):
    """Where the functions' events are found."""

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        """Yield the events that match a pattern, oldest first."""


def trace(some_id: str, *, log: Events, since: datetime) -> list[LogEvent]:
    """Return all events since a moment that name an id, or a request that brought the order of this id, by time.

    `some_id` is the id of an order, a request or a message.
    """
    events = _named(some_id, FUNCTIONS, log, since)
    requests = {
        str(event.fields["request_id"])
        for event in events
        if event.function == "submission" and "request_id" in event.fields
    } - {some_id}
    for request_id in sorted(requests)[:_REQUESTS]:
        events += _named(request_id, ("submission",), log, since)
    unique = {(event.function, event.event_id, event.time, event.name): event for event in events}
    return sorted(unique.values(), key=lambda event: (event.time, FUNCTIONS.index(event.function)))


def _named(some_id: str, functions: tuple[str, ...], log: Events, since: datetime) -> list[LogEvent]:
    # A quoted term is found as it stands. The caller has seen to it that it holds no quotation mark.
    pattern = f'"{some_id}"'
    with ThreadPoolExecutor(len(functions)) as pool:
        return [
            event
            for found in pool.map(lambda function: list(log.search(function, pattern, since=since)), functions)
            for event in found
            if some_id in event.fields.values()
        ]
