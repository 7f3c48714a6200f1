"""The event log: one JSON line an event, with ids and codes, never an order's content.

In Lambda the runtime writes each log record as a line of JSON, its `extra` fields included (logging
format JSON). Where no such runtime is around, the same lines are written to standard output here.
Metric filters count the events by their `message`.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_logger: Final = logging.getLogger("orders")
_PACKAGE: Final = Path(__file__).parent.parent
_RECORD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({})))


class _JsonLine(logging.Formatter):
    """Writes a record as Lambda's own runtime does."""

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
    # Lambda's runtime lets everything from INFO on into the log; a client's own chatter is no event.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(_JsonLine())
        _logger.addHandler(handler)


_set_up()


def log_event(event: str, level: int = logging.INFO, /, **fields: str | int | None) -> None:
    """Log one event: a short constant name in snake case, and its fields; a field of None is left out."""
    _logger.log(level, event, extra={name: value for name, value in fields.items() if value is not None})


def log_failure(event: str, error: BaseException, /, **fields: str | int | None) -> None:
    """Log an event that `error` caused: its chain of types, AWS error codes and places in the code.

    Never the error's text, which may quote an order.
    """
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    log_event(
        event,
        logging.ERROR,
        error=" < ".join(map(_name, chain)),
        at=" < ".join(_places(chain[-1])),
        **fields,
    )


def _places(error: BaseException) -> list[str]:
    """Return where `error` was raised, then the lines of this package that led there."""
    frames = traceback.extract_tb(error.__traceback__)[::-1]
    return [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for depth, frame in enumerate(frames)
        if depth == 0 or Path(frame.filename).is_relative_to(_PACKAGE)
    ]


def _name(error: BaseException) -> str:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return type(error).__name__ + (f"({code})" if code else "")
