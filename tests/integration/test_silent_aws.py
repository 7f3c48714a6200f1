"""When AWS does not respond, the client gets a 503 from the function within the computed time."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from orders.domain.order_id import random_order_id
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.events import body_of, http_event
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


def test_function_returns_503_before_its_timeout_when_aws_hangs() -> None:
    with socket.socket() as server, ThreadPoolExecutor() as pool:
        server.bind(("127.0.0.1", 0))
        server.listen()
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_ENDPOINT_URL": endpoint,
            "ORDERS_QUEUE_URL": f"{endpoint}/000000000000/orders",
            "ORDERS_TABLE_NAME": "orders",
            "PYTHONPATH": str(REPOSITORY / "lambda"),
        }

        def invoke(function: str) -> str:
            command = [sys.executable, "-c", INVOKE, function]
            given = json.dumps(EVENTS[function])
            return subprocess.run(
                command, env=environment, input=given, stdout=-1, text=True, timeout=60, check=True
            ).stdout

        started = time.monotonic()
        outputs = dict(zip(EVENTS, pool.map(invoke, EVENTS), strict=True))
        taken = time.monotonic() - started

    for function, output in outputs.items():
        answer = json.loads(output.splitlines()[-1])
        assert (answer["statusCode"], body_of(answer)["code"]) == (503, CODES[function])
        assert answer["headers"]["Retry-After"] == "1"
    # Two tries of 4 s each; the start of two interpreters is included.
    assert 8 < taken < longest_call_seconds() + 5
