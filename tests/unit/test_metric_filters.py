"""Metric filters count every event that the functions log. tests/e2e/test_cli.py reads the metrics of a deployed stack."""

import re
from pathlib import Path
from typing import Any

import pytest

import orders
from aws_emulator.metric_filters import matches
from orders.use_cases.process_messages import Result
from support.repository.cloudformation import Template

PACKAGE = Path(orders.__file__).parent

# Successful reads are not counted; failed reads are.
NOT_COUNTED = {("status", event) for event in ("order_found", "order_pending", "order_not_found")}


def filters() -> list[dict[str, Any]]:
    """Return the template's filters. Terraform's are the same: tests/infrastructure/test_parity.py."""
    resources = Template.read().resources(NotificationEmail="operations@example.com").values()
    return [each["Properties"] for each in resources if each["Type"] == "AWS::Logs::MetricFilter"]


def test_every_event_in_the_code_is_counted_except_reads() -> None:
    logged = {
        (path.relative_to(PACKAGE).as_posix(), event)
        for path in PACKAGE.rglob("*.py")
        for event in re.findall(r"\blog_(?:event|failure)\(\s*([^,\s]+),", path.read_text(encoding="utf-8"))
        if event != "event"  # in event_log.py itself
    }
    events = {
        (module.removeprefix("handlers/").removesuffix(".py"), name)
        for module, event in logged
        for name in ([each.value for each in Result] if event == "outcome.result.value" else [event.strip('"')])
    }
    counted = {
        (each["LogGroupName"].rpartition("-")[2], event)
        for each in filters()
        for event in re.findall(r'\$\.message = "(\w+)"', each["FilterPattern"])
    }
    assert events == counted | NOT_COUNTED


@pytest.mark.parametrize(
    ("pattern", "line", "counted"),
    [
        ('{ $.message = "order_stored" }', '{"message": "order_stored", "order_id": "1"}', True),
        ('{ $.message = "order_stored" }', '{"message": "order_stored_twice"}', False),
        ('{ $.message = "order_stored" }', '{"event": "order_stored"}', False),
        ('{ $.message = "order_stored" }', "START RequestId: order_stored", False),
        ('{ $.message = "order_stored" }', '["order_stored"]', False),
        ('{ $.level = "ERROR" && $.receives >= 5 }', '{"level": "ERROR", "receives": 5}', True),
        ('{ $.level = "ERROR" && $.receives >= 5 }', '{"level": "ERROR", "receives": 4}', False),
        ('{ $.level = "ERROR" && $.receives >= 5 }', '{"level": "INFO", "receives": 5}', False),
        ('{ $.level = "ERROR" && $.receives >= 5 }', '{"level": "ERROR"}', False),
        ("{ $.receives = 5 }", '{"receives": "5"}', False),
        ("{ $.receives = 5 }", '{"receives": 5}', True),
    ],
)
def test_pattern_matches_as_in_cloudwatch(pattern: str, line: str, counted: bool) -> None:
    assert matches(pattern, line) is counted


@pytest.mark.parametrize("pattern", ["", "order_stored", '{ $.message = "order_*" }', '{ $.message != "a" }'])
def test_unsupported_pattern_is_rejected(pattern: str) -> None:
    with pytest.raises(ValueError, match="only patterns such as"):
        matches(pattern, "no JSON")
