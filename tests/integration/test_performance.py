"""What no machine changes: the size of the zip, what each function loads, and how often it calls AWS.

Times and rates are `make bench`'s; here is what they follow from.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.interpreters import SERVICES, run, unpack
from bench.wires import CALLS_AT_MOST, ZIP_AT_MOST_MB
from support.deployment.package import lambda_zip

# Loaded by none of the functions until a request is refused: what jsonschema brings.
LOADED_LATE = {"jsonschema", "attr", "attrs", "referencing", "rpds"}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(lambda_zip("local"), tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def on_the_wire(task: Path) -> dict[str, Any]:
    """What each function loaded and sent, each in an interpreter of its own, for the same events as `make bench`."""
    return {function: run("wire", task, function) for function in SERVICES}


@pytest.mark.parametrize("target", ["arm64", "local"])
def test_the_zip_is_small(target: str) -> None:
    assert lambda_zip(target).stat().st_size <= ZIP_AT_MOST_MB * 1e6


@pytest.mark.parametrize("function", SERVICES)
def test_an_event_costs_no_more_calls_than_it_needs(function: str, on_the_wire: dict[str, Any]) -> None:
    calls = {event: len(operations) for event, operations in on_the_wire[function]["operations"].items()}

    assert calls == CALLS_AT_MOST[function]


@pytest.mark.parametrize("function", SERVICES)
def test_a_sound_event_is_handled_without_what_takes_long_to_load(function: str, on_the_wire: dict[str, Any]) -> None:
    loaded = {module.partition(".")[0] for module in on_the_wire[function]["modules"]}

    assert "orders" in loaded
    assert not loaded & LOADED_LATE


@pytest.mark.parametrize("function", SERVICES)
def test_a_function_is_ready_with_nothing_but_itself_beside_boto3_with_one_client(function: str, task: Path) -> None:
    ready = set(run("start", "function", function, task)["modules"])
    floor = set(run("start", "floor", SERVICES[function])["modules"])

    assert {module.partition(".")[0] for module in ready - floor} <= {"orders"} | sys.stdlib_module_names


@pytest.mark.parametrize("function", SERVICES)
def test_a_start_hardly_looks_for_garbage_and_what_comes_after_it_does(function: str, task: Path) -> None:
    start = run("start", "function", function, task)
    floor = run("start", "floor", SERVICES[function])

    assert start["collections"] < floor["collections"] / 5  # while the handler's own file is compiled
    assert start["collects"]
    assert start["frozen"] > floor["frozen"] == 0


@pytest.mark.parametrize("function", SERVICES)
def test_a_function_loads_no_other_functions_part(function: str, on_the_wire: dict[str, Any]) -> None:
    loaded = {name for name in on_the_wire[function]["modules"] if name.startswith("orders.")}

    assert {f"orders.handlers.{other}" for other in SERVICES} & loaded == {f"orders.handlers.{function}"}
    used = {"submission": {"orders.use_cases.submit_order"}, "processing": {"orders.use_cases.process_messages"}}
    assert {name for name in loaded if name.startswith("orders.use_cases.")} == used.get(function, set())
