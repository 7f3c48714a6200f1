"""Event log lines contain IDs and codes, but never an order's content."""

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from orders.adapters.event_log import log_failure
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from support.machine.python import run_python


def test_event_is_one_line_of_json_without_none_fields() -> None:
    program = "log_event('order_stored'); log_event('order_failed', 40, order_id=None, receives=5)"
    stored, failed = run_python(f"from orders.adapters.event_log import log_event; {program}")

    assert json.loads(stored)["level"] == "INFO"
    event = json.loads(failed)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"level": "ERROR", "message": "order_failed", "logger": "orders", "receives": 5}


def test_event_is_written_once_when_the_runtime_has_a_handler() -> None:
    program = """
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
from orders.adapters.event_log import log_event
logging.getLogger("botocore.credentials").info("Found credentials in environment variables.")
log_event("order_stored")
"""
    assert run_python(program) == ["order_stored"]


def test_failure_has_causes_and_locations_but_no_message(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MessageUnreadableError) as raised:
        read_message("{secret", ORDER_RULES)
    log_failure("request_failed", raised.value, request_id="1")

    cause = raised.value.__cause__
    assert cause is not None
    raised_in, *way = traceback.extract_tb(cause.__traceback__)[::-1]
    assert way[-1].name == "read_message"
    [record] = caplog.records
    assert (record.levelname, record.__dict__["request_id"]) == ("ERROR", "1")
    assert record.__dict__["error"] == "MessageUnreadableError < JSONDecodeError"
    assert record.__dict__["at"] == f"decoder.py:{raised_in.lineno} < message.py:{way[-1].lineno}"
    assert "secret" not in str(vars(record))


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_failure_has_each_error_of_its_chain_once(caplog: pytest.LogCaptureFixture, link: str) -> None:
    errors = [KeyError(), ValueError(), TypeError()]
    for error, cause in zip(errors, errors[1:] + errors[1:2], strict=True):
        setattr(error, link, cause)

    log_failure("request_failed", errors[0])

    assert caplog.records[0].__dict__["error"] == "KeyError < ValueError < TypeError"


def test_long_chain_and_deep_traceback_are_truncated(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.adapters.event_log._PACKAGE", Path("/package"))
    source = "def raise_below(depth):\n  if depth: raise_below(depth - 1)\n  raise KeyError"
    scope: dict[str, Any] = {}
    exec(compile(source, "/package/deep.py", "exec"), scope)
    with pytest.raises(KeyError) as raised:
        scope["raise_below"](50)
    log_failure("request_failed", raised.value)
    error: Exception = raised.value
    for _ in range(100_000):
        outer = ValueError()
        outer.__cause__, error = error, outer
    log_failure("request_failed", error)

    deep, long = (vars(record) for record in caplog.records)
    assert deep["at"].split(" < ") == ["deep.py:3"] + ["deep.py:2"] * 19
    assert long["error"] == " < ".join(["ValueError"] * 10)
