"""What a function prepares may be shared: SnapStart starts many from one snapshot, days later.

A fork is such a start on one machine: two processes go on from the same memory.
"""

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
WAITED_FOR = ("submission", "status")

# Prints what the start did to the outside: connections and names that were looked up.
START = """
import importlib, json, sys
outside = []
sys.addaudithook(lambda event, _: outside.append(event) if event in {"socket.connect", "socket.getaddrinfo"} else None)
importlib.import_module(f"orders.handlers.{sys.argv[1]}")
print(json.dumps(outside))
"""

# Prints the answers of two processes that go on from the same start.
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
    """Run a program as a function would start; return the JSON that it prints last, or what both forks print."""
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


@pytest.mark.parametrize("function", WAITED_FOR)
def test_a_start_opens_no_connection_that_a_snapshot_would_keep(function: str) -> None:
    assert run(START, function) == [[]]


def test_two_functions_of_one_snapshot_never_give_the_same_order_id() -> None:
    printed = run(TWICE, given=http_event(SAMPLE_BODY.decode()))

    order_ids = {json.loads(line["body"])["order_id"] for line in printed if "body" in line}
    assert len(order_ids) == 2
