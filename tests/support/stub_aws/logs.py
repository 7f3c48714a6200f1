"""An in-memory stub of CloudWatch Logs, as far as the `orders` command uses it."""

from collections.abc import Iterator
from typing import Any


class FakeLogs:
    """Returns the lines of each group with FilterLogEvents, two per page. A pattern in braces matches every line."""

    def __init__(self, **groups: list[dict[str, Any]]) -> None:
        self.groups = groups

    def get_paginator(self, operation: str) -> "FakeLogs":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, filterPattern: str, startTime: int) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [
            event
            for event in self.groups.get(logGroupName, [])
            if event["timestamp"] >= startTime
            and (filterPattern.startswith("{") or filterPattern.strip('"') in event["message"])
        ]
        return ({"events": found[start : start + 2]} for start in range(0, len(found) or 1, 2))
