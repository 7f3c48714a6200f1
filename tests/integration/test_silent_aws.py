"""An AWS that takes a request and never answers: the client hears our own 503, in the time that is computed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orders.domain.order_id import random_order_id
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.events import http_event
from support.stub_aws.patience import longest_call_seconds

INVOKE = """
import importlib, json, sys
answer = importlib.import_module(f"orders.handlers.{sys.argv[1]}").handler(json.load(sys.stdin), None)
print(json.dumps(answer))
"""

EVENTS = {
    "submission": http_event(SAMPLE_BODY.decode()),
    "status": http_event(order_id=random_order_id(bytes(12))),
}
CODES = {"submission": "QUEUE_UNAVAILABLE", "status": "STORE_UNAVAILABLE"}
LAMBDA = REPOSITORY / "lambda"


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """The address of a server that lets everybody connect and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_aws_that_stays_silent_is_a_503_before_the_function_runs_out_of_time(silent_endpoint: str) -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ENDPOINT_URL": silent_endpoint,
        "ORDERS_QUEUE_URL": f"{silent_endpoint}/000000000000/orders",
        "ORDERS_TABLE_NAME": "orders",
        "PYTHONPATH": str(LAMBDA),
    }
    started = time.monotonic()
    # Side by side, because each takes as long as it may.
    running = {}
    for function, event in EVENTS.items():
        process = subprocess.Popen(
            [sys.executable, "-c", INVOKE, function],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(event))
        process.stdin.close()
        process.stdin = None
        running[function] = process

    outputs = {function: process.communicate(timeout=60)[0] for function, process in running.items()}
    taken = time.monotonic() - started

    for function, output in outputs.items():
        answer = json.loads(output.splitlines()[-1])
        problem = json.loads(answer["body"])
        assert (answer["statusCode"], problem["code"]) == (503, CODES[function])
        assert answer["headers"]["Retry-After"] == "1"
    # Two tries of 4 s each; the start of two interpreters is included.
    assert 8 < taken < longest_call_seconds() + 5
