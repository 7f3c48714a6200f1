"""Events of the functions' logs."""

import json
from datetime import UTC, datetime

from orders_cli.log import EventLog, LogEvent
from support.stub_aws.logs import FakeLogs

START = datetime(2025, 4, 25, 10, tzinfo=UTC)


def test_search_returns_ids_and_codes_of_events_and_skips_other_lines() -> None:
    event = {"level": "INFO", "message": "order_failed", "order_id": "o1", "receives": 5, "customer_id": "secret"}
    others = ["START RequestId: 5", "[]", "5", '{"message": 5}', '{"type": "platform.report"}']
    lines = [{"timestamp": START.timestamp() * 1000, "message": text} for text in [*others, json.dumps(event)]]
    [found] = EventLog(FakeLogs(processing=lines), "").search("processing", "{ }", START)
    assert found == LogEvent(START, "processing", "order_failed", {"order_id": "o1", "receives": 5})
