"""The functions' logs, read back as the events that they are."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# The most that FilterLogEvents hands out at once.
_PAGE = 10_000

# What an event may hold besides its name: ids, codes and numbers. Nothing else of a log line is ever shown.
FIELDS = (
    "order_id",
    "request_id",
    "message_id",
    "receives",
    "reason",
    "code",
    "error",
    "at",
    "messages",
    "records",
    "announced",
)


@dataclass(frozen=True)
class LogEvent:
    """One event of a function; `fields` holds those of FIELDS that it has, `event_id` tells it from all others."""

    event_id: str
    time: datetime
    function: str
    name: str
    fields: dict[str, Any]


class EventLog:
    """The logs of a system's functions."""

    def __init__(self, logs: Any, log_group: Callable[[str], str]) -> None:
        self._logs = logs
        self._log_group = log_group

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        """Yield a function's events that match a filter pattern of CloudWatch Logs, oldest first.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
        """
        for event in self._matching(self._log_group(function), pattern, _milliseconds(since), _milliseconds(until)):
            if (read := _read(function, event)) is not None:
                yield read

    def _matching(self, group: str, pattern: str, start: int | None, end: int | None) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {"logGroupName": group, "filterPattern": pattern, "limit": _PAGE}
        if end is not None:
            request["endTime"] = end
        seen: set[str] = set()
        while True:
            answer = self._logs.filter_log_events(**request, **({} if start is None else {"startTime": start}))
            events = [event for event in answer["events"] if _identity(event) not in seen]
            yield from events
            if token := answer.get("nextToken"):
                request["nextToken"] = token
            elif len(answer["events"]) == _PAGE and events:
                # An emulator ends at a full page without a word: go on at the moment that it reached.
                start = answer["events"][-1]["timestamp"]
                seen = {_identity(event) for event in answer["events"] if event["timestamp"] == start}
            else:
                return


def _read(function: str, event: dict[str, Any]) -> LogEvent | None:
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(line, dict) or not isinstance(line.get("message"), str):
        return None
    return LogEvent(
        _identity(event),
        datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        function,
        line["message"],
        {name: line[name] for name in FIELDS if line.get(name) is not None},
    )


def _identity(event: dict[str, Any]) -> str:
    # CloudWatch gives every event an id, an emulator may not.
    return str(event.get("eventId") or f"{event.get('logStreamName')} {event['timestamp']} {event['message']}")


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
