"""The deployed API is what docs/openapi.yaml says, as far as schemathesis can tell: all its phases and checks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.stack import DeployedStack
from repository import openapi

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


@pytest.fixture
def emptied_stack(stack: DeployedStack) -> Iterator[DeployedStack]:
    """The stack, whose queues are emptied afterwards.

    Schemathesis sends different orders under one key. They would be received for a minute more and end among the dead
    letters that other tests look through.
    """
    yield stack
    for queue in ("orders_queue_url", "orders_dlq_url"):
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])


def test_schemathesis_finds_no_difference(emptied_stack: DeployedStack, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIGURATION),
            *("run", openapi.PATH, "--url", emptied_stack.local.api_url, "--no-color"),
            *("--report", "json", "--report-json-path", report),
        ],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(report.read_text())
    assert {phase: told["phases"][phase]["status"] for phase in told["phases"]} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert told["operations"]["tested"] == len(openapi.operations())
    assert told["test_cases"]["generated"] > 200
    for operation, phases in told["valid_rates"].items():
        assert all(phase["accepted"] > 0 for phase in phases.values()), f"{operation} was never tried with success"
