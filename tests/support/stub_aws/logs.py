"""CloudWatch Logs as far as the operator's tool reads it, in memory."""

from typing import Any


class FakeLogs:
    """FilterLogEvents over the lines of each group; `page` is how many it hands out at once, by token or not."""

    def __init__(self, page: int = 10_000, tokens: bool = True, **groups: list[dict[str, Any]]) -> None:
        self.groups = groups
        self.page = page
        self.tokens = tokens
        self.requests: list[dict[str, Any]] = []

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        pattern = request["filterPattern"].strip('"')
        matching = [
            event
            for event in self.groups.get(request["logGroupName"], [])
            if event["timestamp"] >= request.get("startTime", 0)
            and (pattern.startswith("{") or pattern in event["message"])
        ]
        start = int(request.get("nextToken", 0))
        events = matching[start : start + self.page]
        more = self.tokens and len(matching) > start + self.page
        return {"events": events, **({"nextToken": str(start + self.page)} if more else {})}
