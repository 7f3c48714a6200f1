"""Machine-independent performance: each function's modules and calls to AWS.

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
from support.deployment.package import lambda_zip
from support.repository.files import REPOSITORY

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

# Records the calls of real clients, and returns responses without a network.
HANDLE_EVENTS = """
import importlib, io, json, sys
sys.path[:0] = sys.argv[1:3]
import botocore.handlers
from botocore.awsrequest import AWSResponse
from orders.domain.order import Order, ProcessedOrder, SubmittedOrder
from orders.domain.order_id import random_order_id
from support.stub_aws.events import http_event, item_of, sqs_event, stream_event

order = Order("001", "Banana", 1, "2025-04-25")
time = "2025-04-25T10:00:00.000Z"
ids = [random_order_id(bytes([number] * 12)) for number in range(10)]
batch = sqs_event(**{order_id: SubmittedOrder(order_id, order, time, "request") for order_id in ids})
stored = [ProcessedOrder(order_id, order, time, time) for order_id in ids]
published = "".join(f"<member><Id>{number}</Id><MessageId>m</MessageId></member>" for number in range(10))
responses = {
    "SendMessage": {"MessageId": "m"},
    "BatchExecuteStatement": {"Responses": [{} for _ in ids]},
    "BatchGetItem": {"Responses": {"orders": [item_of(each) for each in stored]}},
    "GetItem": {"Item": item_of(stored[0])},
    "PublishBatch": f"<PublishBatchResponse><PublishBatchResult><Successful>{published}</Successful>"
    "</PublishBatchResult></PublishBatchResponse>",
}
duplicates = {"BatchExecuteStatement": {"Responses": [{"Error": {"Code": "DuplicateItem"}} for _ in ids]}}
body = json.dumps(vars(order))
events = {
    "submission": {"an order": (http_event(body), {}), "an invalid request": (http_event("{}"), {})},
    "processing": {"ten new orders": (batch, {}), "ten duplicates": (batch, duplicates)},
    "status": {"an order id": (http_event(order_id=ids[0]), {}), "a mistyped id": (http_event(order_id="1"), {})},
    "notification": {"ten stored orders": (stream_event(*stored), {})},
}
calls = []

class Body(io.BytesIO):
    def stream(self, *_, **__):
        yield self.read()

def respond(request, event_name, **_):
    operation = event_name.rpartition(".")[2]
    calls.append(operation)
    content = responses[operation]
    return AWSResponse(
        request.url, 200, {}, Body((content if isinstance(content, str) else json.dumps(content)).encode())
    )

botocore.handlers.BUILTIN_HANDLERS.append(("before-send", respond))
function = sys.argv[3]
handler = importlib.import_module(f"orders.handlers.{function}").handler
counts, modules = {}, []
for name, (event, changed) in events[function].items():
    responses.update(changed)
    calls.clear()
    result = handler(event, None)
    assert result.get("statusCode", 0) < 500 and not result.get("batchItemFailures"), result
    counts[name] = len(calls)
    modules = modules or sorted(sys.modules)
print(json.dumps({"calls": counts, "modules": modules}))
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
    """Each function's calls to AWS, and the modules loaded for the first event."""
    with ThreadPoolExecutor(2) as runners:
        tests = REPOSITORY / "tests"
        return dict(
            zip(SERVICES, runners.map(lambda name: run(HANDLE_EVENTS, task, tests, name), SERVICES), strict=True)
        )


@pytest.mark.parametrize("function", SERVICES)
def test_function_makes_only_necessary_calls(function: str, handled: dict[str, Any]) -> None:
    assert handled[function]["calls"] == CALLS[function]


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
    loaded = set(handled[function]["modules"])

    assert {f"orders.handlers.{other}" for other in SERVICES} & loaded == {f"orders.handlers.{function}"}
    used = {"submission": {"orders.use_cases.submit_order"}, "processing": {"orders.use_cases.process_messages"}}
    assert {name for name in loaded if name.startswith("orders.use_cases.")} == used.get(function, set())
    assert not {name.partition(".")[0] for name in loaded} & LOADED_LATE
