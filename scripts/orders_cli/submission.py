"""Submitting many orders: a few at a time, in order, and none that is stored already."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import Event
from typing import Protocol

from orders_cli.order_api import Submission, Verdict
from orders_cli.order_file import OrderLine, UnreadableLine

# As many as one look into the table tells of.
_CHUNK = 100


class Api(Protocol):
    """Where orders are submitted."""

    def submit(self, body: bytes, idempotency_key: str) -> Submission:
        """Submit one order and return what became of it."""


class StoredIds(Protocol):
    """What tells which orders are stored."""

    def stored(self, order_ids: Sequence[str]) -> set[str]:
        """Return those of at most a hundred ids whose orders are stored."""


def submit_lines(
    lines: Iterable[OrderLine | UnreadableLine], *, api: Api, table: StoredIds, concurrency: int, stopped: Event
) -> Iterator[tuple[int, Submission]]:
    """Submit the orders of a file and yield number and verdict of each line, in their order.

    At most `concurrency` orders are on their way at once. An end before the last line, as by Ctrl-C, sets `stopped`,
    which is to keep `api` from trying again, and waits for the answers that are still to come.
    """
    remaining = iter(lines)
    with _pool(concurrency, stopped) as pool:
        while chunk := list(islice(remaining, _CHUNK)):
            ids = [line.order_id for line in chunk if isinstance(line, OrderLine) and line.order_id]
            stored = table.stored(ids) if ids else set()
            verdicts = pool.map(partial(_submit, api=api, stored=stored), chunk)
            yield from zip([line.line for line in chunk], verdicts, strict=True)


@contextmanager
def _pool(size: int, stopped: Event) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(size)
    try:
        yield pool
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _submit(line: OrderLine | UnreadableLine, *, api: Api, stored: set[str]) -> Submission:
    if isinstance(line, UnreadableLine):
        return Submission(Verdict.REFUSED, code="UNREADABLE_LINE", detail=line.reason)
    if line.order_id in stored:
        return Submission(Verdict.STORED_BEFORE, line.order_id)
    return api.submit(line.body, line.idempotency_key)
