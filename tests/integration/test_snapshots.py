"""SnapStart restores many environments from one snapshot, even days later. Here a fork simulates a restore."""

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.cold_starts import ENVIRONMENT
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.events import http_event

LAMBDA = REPOSITORY / "lambda"

# Prints the connections and name lookups of a start.
START = """
import importlib, json, sys
outside = []
sys.addaudithook(lambda event, _: outside.append(event) if event in {"socket.connect", "socket.getaddrinfo"} else None)
importlib.import_module(f"orders.handlers.{sys.argv[1]}")
print(json.dumps(outside))
"""

# Prints the responses of two processes forked from the same start.
TWICE = """
import json, os, sys
from orders.adapters import clients

class Queue:
    def send_message(self, **message):
        return {}

clients.make_client = lambda service: Queue()
from orders.handlers.submission import handler

event = json.load(sys.stdin)
for _ in range(2):
    if os.fork() == 0:
        print(json.dumps(handler(event, None)))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def run(program: str, *arguments: str, given: Any = None) -> list[Any]:
    """Run a program in a new interpreter; return the JSON of each line."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**ENVIRONMENT, "PYTHONPATH": str(LAMBDA), "PYTHONHASHSEED": "random"},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("function", ["submission", "status"])
def test_cold_start_opens_no_connection(function: str) -> None:
    assert run(START, function) == [[]]


def test_environments_of_one_snapshot_issue_different_order_ids() -> None:
    printed = run(TWICE, given=http_event(SAMPLE_BODY.decode()))

    order_ids = {json.loads(line["body"])["order_id"] for line in printed if "body" in line}
    assert len(order_ids) == 2
