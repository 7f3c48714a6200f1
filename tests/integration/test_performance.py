"""Machine-independent performance: each function's modules, calls to AWS and bytes.

`make bench` measures times and rates.
"""

import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.cold_starts import ENVIRONMENT, PYTHON, SERVICES, START_BASELINE, START_FUNCTION
from planning.cost import ORDER_BYTES
from support.deployment.package import lambda_zip
from support.repository.files import REPOSITORY
from support.sample_orders import processed
from support.stub_aws.events import item_of

# jsonschema and its dependencies are loaded only to report an invalid order.
LOADED_LATE = {"jsonschema", "attr", "attrs", "referencing", "rpds"}

# Each call costs money and adds a round trip.
CALLS = {
    "submission": {"an order": 1, "an invalid request": 0},
    "processing": {"ten new orders": 1, "ten duplicates": 2},
    "status": {"an order id": 1, "a mistyped id": 0},
    "notification": {"ten stored orders": 1},
}

COUNT_EVENTS = """
import collections, sys
events = collections.Counter()
sys.addaudithook(lambda event, _: events.update([event]))
"""
REPORT_START = """
import gc, json
collections = sum(generation["collections"] for generation in gc.get_stats())
print(json.dumps({
    "modules": sorted(sys.modules),
    "collections": collections,
    "is_enabled": gc.isenabled(),
    "frozen": gc.get_freeze_count(),
    "events": dict(events),
}))
"""

# Records the calls to AWS instead of making them. The log has the output of the import, because the logger keeps it.
HANDLE_EVENTS = """
import importlib, io, json, sys
sys.path[:0] = sys.argv[1:3]
from contextlib import redirect_stdout
from dataclasses import replace
import botocore.client
from support.sample_orders import SAMPLE_BODY, processed, submitted
from support.stub_aws.events import http_event, item_of, sqs_event, stream_event

batch, request_id = [str(place) for place in range(10)], "JKJaXmPLvHcESHA="
messages = sqs_event(**{
    f"059f36b4-87a3-44ab-83d2-66197540000{place}": replace(submitted(place), request_id=request_id) for place in batch
})
responses = {
    "SendMessage": {"MessageId": "m"},
    "BatchExecuteStatement": {"Responses": [{} for _ in batch]},
    "BatchGetItem": {"Responses": {"orders": [item_of(processed(place)) for place in batch]}},
    "GetItem": {"Item": item_of(processed())},
    "PublishBatch": {"Failed": [], "Successful": [{"Id": place} for place in batch]},
}
duplicates = {"BatchExecuteStatement": {"Responses": [{"Error": {"Code": "DuplicateItem"}} for _ in batch]}}
events = {
    "submission": {"an order": (http_event(SAMPLE_BODY.decode()), {}), "an invalid request": (http_event("{}"), {})},
    "processing": {"ten new orders": (messages, {}), "ten duplicates": (messages, duplicates)},
    "status": {
        "an order id": (http_event(order_id=processed().order_id), {}), "a mistyped id": (http_event(order_id="1"), {})
    },
    "notification": {"ten stored orders": (stream_event(*map(processed, batch)), {})},
}

def call(client, action, parameters):
    calls.append(parameters)
    return responses[action]

botocore.client.BaseClient._make_api_call = call
function, reports = sys.argv[3], {}
with redirect_stdout(io.StringIO()) as log:
    handler = importlib.import_module(f"orders.handlers.{function}").handler
    for name, (event, changed) in events[function].items():
        if "requestContext" in event:
            event["requestContext"]["requestId"] = request_id
        responses.update(changed)
        calls, before = [], log.tell()
        response = handler(event, None)
        assert response.get("statusCode", 0) < 500 and not response.get("batchItemFailures"), response
        reports[name] = {
            "calls": calls, "response": response, "log": log.tell() - before, "modules": sorted(sys.modules)
        }
print(json.dumps(reports))
"""


def run(program: str, *arguments: object) -> Any:
    """Run a program in a new interpreter; return the JSON of its last line."""
    command = [*PYTHON, program, *map(str, arguments)]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(lambda_zip("local")) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def starts(task: Path) -> dict[str, Any]:
    """Measurements of each function's cold start, and of a baseline that only creates its boto3 client."""
    programs: dict[str, tuple[object, ...]] = {f: (START_FUNCTION, task, f) for f in SERVICES}
    programs |= {service: (START_BASELINE, service) for service in SERVICES.values()}
    with ThreadPoolExecutor(2) as runners:
        reports = runners.map(
            lambda program: run(f"{COUNT_EVENTS}{program[0]}{REPORT_START}", *program[1:]), programs.values()
        )
        return dict(zip(programs, reports, strict=True))


@pytest.fixture(scope="module")
def handled(task: Path) -> dict[str, Any]:
    """Of each function, a report by event."""
    with ThreadPoolExecutor(2) as runners:
        tests = REPOSITORY / "tests"
        return dict(
            zip(SERVICES, runners.map(lambda name: run(HANDLE_EVENTS, task, tests, name), SERVICES), strict=True)
        )


@pytest.mark.parametrize("function", SERVICES)
def test_function_makes_only_necessary_calls(function: str, handled: dict[str, Any]) -> None:
    assert {event: len(report["calls"]) for event, report in handled[function].items()} == CALLS[function]


def test_cost_model_bytes_equal_those_of_the_handlers(handled: dict[str, Any]) -> None:
    def texts(value: Any) -> list[str]:
        return [value] if isinstance(value, str) else [text for each in value.values() for text in texts(each)]

    first = {function: next(iter(reports.values())) for function, reports in handled.items()}
    entry = first["notification"]["calls"][0]["PublishBatchRequestEntries"][0]
    response = first["submission"]["response"]
    assert {
        "message": len(first["submission"]["calls"][0]["MessageBody"]),
        # Names and text in UTF-8. A number has half a byte per digit and one more byte:
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
        "item": sum(
            len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2)
            for name, value in item_of(processed()).items()
        ),
        "announcement": sum(len(text.encode()) for text in [*texts(entry), *entry["MessageAttributes"]]),
        "response": len(response["body"]) + sum(len(k) + len(v) + 4 for k, v in response["headers"].items()),
        "submission_log": first["submission"]["log"],
        "status_log": first["status"]["log"],
        "processing_log": first["processing"]["log"] // 10,
        "notification_log": first["notification"]["log"] // 10,
    } == ORDER_BYTES


@pytest.mark.parametrize("function", SERVICES)
def test_cold_start_loads_only_boto3_and_the_function(function: str, starts: dict[str, Any]) -> None:
    added = set(starts[function]["modules"]) - set(starts[SERVICES[function]]["modules"])

    assert {module.partition(".")[0] for module in added} <= {"orders"} | sys.stdlib_module_names


@pytest.mark.parametrize("function", SERVICES)
def test_cold_start_disables_garbage_collection_until_all_is_loaded(function: str, starts: dict[str, Any]) -> None:
    start, baseline = starts[function], starts[SERVICES[function]]

    assert start["collections"] < baseline["collections"] / 5
    assert start["is_enabled"]
    assert start["frozen"] > baseline["frozen"] == 0


@pytest.mark.parametrize("function", SERVICES)
def test_cold_start_opens_no_connection_and_lists_no_services(function: str, starts: dict[str, Any]) -> None:
    events, baseline = starts[function]["events"], starts[SERVICES[function]]["events"]

    assert not events.keys() & {"socket.connect", "socket.getaddrinfo"}
    assert events.get("os.listdir", 0) < baseline["os.listdir"] / 5


@pytest.mark.parametrize("function", SERVICES)
def test_valid_event_loads_no_other_function_and_no_jsonschema(function: str, handled: dict[str, Any]) -> None:
    loaded = set(next(iter(handled[function].values()))["modules"])

    assert {f"orders.handlers.{other}" for other in SERVICES} & loaded == {f"orders.handlers.{function}"}
    used = {"submission": {"orders.use_cases.submit_order"}, "processing": {"orders.use_cases.process_messages"}}
    assert {name for name in loaded if name.startswith("orders.use_cases.")} == used.get(function, set())
    assert not {name.partition(".")[0] for name in loaded} & LOADED_LATE
