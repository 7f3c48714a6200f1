"""The metric filters over what the handlers really log: nothing that happens to an order goes uncounted.

The lines are those of the package where no Lambda runtime writes them; over the deployed functions' own logs the filters
are held in tests/e2e/test_metrics.py.
"""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

import orders
from aws_emulator.metric_filters import dimensions, matches
from fake_aws.events import http_event, item_of, sqs_event, stream_event
from infrastructure.system import MetricFilter, from_template
from orders.adapters.event_log import _JsonLine
from orders.domain.errors import BatchFailedError, QueueUnavailableError, StoreUnavailableError, TopicUnavailableError
from orders.use_cases.process_messages import Outcome, Result
from repository.cloudformation import Template
from sample_orders import SAMPLE_BODY, processed, submitted

HANDLERS = Path(orders.__file__).parent / "handlers"
FUNCTIONS = ("submission", "processing", "status", "notification")

# Looking an order up changes nothing about it, and failing to is counted.
NOT_COUNTED = {("status", event) for event in ("order_found", "order_pending", "order_not_found")}

Lines = Callable[[], list[str]]
ImportFunction = Callable[[str], ModuleType]


@pytest.fixture
def import_function(
    import_handler: Callable[..., ModuleType], queue_url: str, table_name: str, topic_arn: str
) -> ImportFunction:
    """Return a function that imports a handler with all that it is told by its environment."""
    return lambda name: import_handler(
        name, ORDERS_QUEUE_URL=queue_url, ORDERS_TABLE_NAME=table_name, ORDER_COMPLETED_TOPIC_ARN=topic_arn
    )


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """Return a function that returns what was logged, as it is written."""
    write = _JsonLine().format
    return lambda: [write(record) for record in caplog.records if record.name == "orders"]


def refuse(error: Exception) -> Callable[..., Any]:
    """Return a function that raises `error` whatever it is called with."""

    def raising(*_: object, **__: object) -> None:
        raise error

    return raising


def run_submission(import_function: ImportFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = import_function("submission")
    sample = http_event(SAMPLE_BODY.decode())
    submission.handler(sample, None)
    submission.handler(http_event("{}"), None)
    monkeypatch.setattr(submission._queue, "send", refuse(QueueUnavailableError()))
    submission.handler(sample, None)
    monkeypatch.setattr(submission, "submit_order", refuse(RuntimeError()))
    submission.handler(sample, None)


def run_processing(import_function: ImportFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    processing = import_function("processing")
    outcomes = [Outcome(f"m{place}", result, submitted(f"m{place}")) for place, result in enumerate(Result)]
    event = sqs_event(**{outcome.message_id: submitted(outcome.message_id) for outcome in outcomes})
    for record in event["Records"]:
        record["attributes"]["ApproximateReceiveCount"] = "5"
    monkeypatch.setattr(processing, "process_messages", lambda *_, **__: outcomes)
    processing.handler(event, None)
    failed = [Outcome("m0", Result.FAILED, error=StoreUnavailableError())]
    monkeypatch.setattr(processing, "process_messages", lambda *_, **__: failed)
    with pytest.raises(BatchFailedError):
        processing.handler(event, None)


def run_status(import_function: ImportFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("dynamodb").put_item(TableName="orders", Item=item_of(processed("stored")))
    status = import_function("status")
    for order_id in (processed("stored").order_id, processed("on-its-way").order_id, "never issued"):
        status.handler(http_event(order_id=order_id), None)
    monkeypatch.setattr(status._store, "find", refuse(StoreUnavailableError()))
    status.handler(http_event(order_id=processed().order_id), None)


def run_notification(import_function: ImportFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    notification = import_function("notification")
    notification.handler(stream_event(processed()), None)
    monkeypatch.setattr(notification._topic, "publish", refuse(TopicUnavailableError()))
    with pytest.raises(BatchFailedError):
        notification.handler(stream_event(processed()), None)


# Each makes a function log every event that it can.
RUNS = {
    "submission": run_submission,
    "processing": run_processing,
    "status": run_status,
    "notification": run_notification,
}


def filters_of(function: str) -> list[MetricFilter]:
    """Return the filters over a function's log. Terraform's are the same: tests/infrastructure/test_parity.py."""
    system = from_template(Template.read().resources(NotificationEmail="operations@example.com"))
    return [each for each in system.metric_filters if each.log_group.endswith(f"-{function}")]


def events_in_the_code(function: str) -> set[str]:
    """Return the name of every event that the code of a handler logs."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((HANDLERS / f"{function}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("log_"):
            match node.args[0]:
                case ast.Constant(value=str(name)):
                    names.add(name)
                case argument:
                    assert ast.unparse(argument) == "outcome.result.value", "a name that this test cannot tell"
                    names |= {result.value for result in Result}
    return names


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_event_is_counted_or_named_as_one_that_is_not(
    function: str,
    import_function: ImportFunction,
    monkeypatch: pytest.MonkeyPatch,
    lines: Lines,
) -> None:
    RUNS[function](import_function, monkeypatch)
    logged = lines()
    assert {json.loads(line)["message"] for line in logged} == events_in_the_code(function), "all were logged"

    counted = [line for line in logged if any(matches(each.pattern, line) for each in filters_of(function))]
    missed = {(function, json.loads(line)["message"]) for line in logged if line not in counted}
    assert missed == {each for each in NOT_COUNTED if each[0] == function}
    for each in filters_of(function):
        assert any(matches(each.pattern, line) for line in logged), f"{each.pattern} matches nothing that is logged"


def test_only_handlers_log_events() -> None:
    package = HANDLERS.parent
    callers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("log_event", "log_failure")
    }
    assert callers - {"adapters/event_log.py"} == {f"handlers/{function}.py" for function in FUNCTIONS}


def test_every_refusal_is_counted_under_its_code(
    import_function: ImportFunction, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    run_submission(import_function, monkeypatch)
    [by_code] = [each for each in filters_of("submission") if each.dimensions]
    found = [dimensions(by_code.dimensions, line) for line in lines() if matches(by_code.pattern, line)]
    assert found == [{"Code": "VALIDATION_FAILED"}, {"Code": "QUEUE_UNAVAILABLE"}]


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
def test_pattern_is_compared_as_cloudwatch_compares_it(pattern: str, line: str, counted: bool) -> None:
    assert matches(pattern, line) is counted


@pytest.mark.parametrize("pattern", ["", "order_stored", '{ $.message = "order_*" }', '{ $.message != "a" }'])
def test_pattern_that_cannot_be_evaluated_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="only patterns such as"):
        matches(pattern, "no JSON")


def test_a_missing_field_leaves_its_dimension_out() -> None:
    assert dimensions({"Code": "$.code"}, '{"message": "order_refused"}') == {}
    with pytest.raises(ValueError, match="only selectors such as"):
        dimensions({"Code": "$.a.b"}, "{}")
