"""The event log: one JSON line per event, with ids and codes, never an order's content.

In Lambda the runtime writes each log record as a line of JSON with its `extra` fields. Without that runtime this module
writes the same lines to standard output. Metric filters count events by their `message`.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

_logger: Final = logging.getLogger("orders")
_MAX_CAUSES: Final = 10
_MAX_LINES: Final = 20
_PACKAGE: Final = Path(__file__).parent.parent
_RECORD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({})))


class _JsonLine(logging.Formatter):
    """Writes a record as Lambda's runtime does."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        extra = {name: value for name, value in vars(record).items() if name not in _RECORD_FIELDS}
        return json.dumps(line | extra, default=str)


def _set_up() -> None:
    _logger.setLevel(logging.INFO)
    # Lambda's runtime logs everything from INFO on; botocore's messages are not events.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(_JsonLine())
        _logger.addHandler(handler)


_set_up()


def log_event(event: str, level: int = logging.INFO, /, **fields: str | int | None) -> None:
    """Log one event: a short constant name in snake case, and its fields. Fields that are None are omitted."""
    _logger.log(level, event, extra={name: value for name, value in fields.items() if value is not None})


def log_failure(event: str, error: BaseException, /, **fields: str | int | None) -> None:
    """Log an event that `error` caused, with the error types of its chain, AWS error codes and lines of code.

    The error's text is not logged, because it may quote an order.
    """
    chain = list(islice(_chain(error), _MAX_CAUSES))
    log_event(
        event,
        logging.ERROR,
        error=" < ".join(map(_name, chain)),
        at=" < ".join(islice(_lines(chain[-1]), _MAX_LINES)),
        **fields,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and its causes, each once, because a chain can have a cycle."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__context__ if cause.__cause__ is None else cause.__cause__


def _lines(error: BaseException) -> Iterator[str]:
    """Yield the line that raised `error`, then the lines of this package in its call stack."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    for depth, (path, line) in enumerate(reversed(frames)):
        if depth == 0 or path.is_relative_to(_PACKAGE):
            yield f"{path.name}:{line}"


def _name(error: BaseException) -> str:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return type(error).__name__ + (f"({code})" if code else "")
