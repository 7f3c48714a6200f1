"""The deployed API matches docs/openapi.yaml: all schemathesis phases and checks pass, and a generated client works."""

import importlib
import json
import os
import subprocess
import sys
import uuid
from datetime import date
from pathlib import Path

import attrs
import pytest

from support.deployment.stack import DeployedStack
from support.repository import openapi
from support.waiting import wait_for

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def test_schemathesis_finds_no_difference(stack: DeployedStack, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIGURATION),
            *("run", openapi.PATH, "--url", stack.local.api_url, "--no-color"),
            *("--report", "json", "--report-json-path", report),
        ],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads(report.read_text())
    assert {phase: result["phases"][phase]["status"] for phase in result["phases"]} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert result["operations"]["tested"] == len(openapi.operations())
    assert result["test_cases"]["generated"] > 200
    for operation, phases in result["valid_rates"].items():
        assert all(phase["accepted"] > 0 for phase in phases.values()), f"{operation} never succeeded"


def test_generated_python_client_places_an_order_and_reads_it(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, package = Path(sys.executable).parent, tmp_path / "orders_client"
    generator: list[str | Path] = [tools / "openapi-python-client", "generate", "--meta", "none"]
    generated = subprocess.run(
        [*generator, "--path", openapi.PATH, "--output-path", package],
        env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},  # it formats with ruff
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        text=True,
    )
    # It warns for anything that it cannot type.
    assert "arning" not in generated.stdout, generated.stdout
    monkeypatch.syspath_prepend(tmp_path)
    orders_client, models, get_order, submit_order = (
        importlib.import_module(f"orders_client{name}")
        for name in ("", ".models", ".api.orders.get_order", ".api.orders.submit_order")
    )
    order = models.Order(customer_id="generated", product_id="Banana", quantity="2", order_date=date(2025, 4, 25))

    with orders_client.Client(base_url=stack.local.api_url, raise_on_unexpected_status=True) as client:
        accepted = submit_order.sync(client=client, body=order, idempotency_key=str(uuid.uuid4()))
        assert isinstance(accepted, models.AcceptedOrder)
        processed = wait_for(
            "the processed order",
            lambda: (
                found
                if isinstance(found := get_order.sync(accepted.order_id, client=client), models.ProcessedOrder)
                else None
            ),
        )
        invalid = submit_order.sync(client=client, body=attrs.evolve(order, quantity=0))
        unknown = get_order.sync(str(uuid.uuid4()), client=client)

    assert (processed.order_id, processed.quantity, processed.order_date) == (accepted.order_id, 2, date(2025, 4, 25))
    assert isinstance(invalid, models.ValidationProblem)
    assert [error.pointer for error in invalid.errors] == ["/quantity"]
    assert isinstance(unknown, models.OrderNotFoundProblem)
