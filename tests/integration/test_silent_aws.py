"""When AWS does not respond, the client gets a 503 from the function within the computed time."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orders.domain.order_id import random_order_id
from support.machine.python import run_python
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.call_duration import longest_call_seconds
from support.stub_aws.events import body_of, http_event

INVOKE = """
import importlib, json, sys
response = importlib.import_module(f"orders.handlers.{sys.argv[1]}").handler(json.load(sys.stdin), None)
print(json.dumps(response))
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
        queue_url = f"{endpoint}/000000000000/orders"

        def invoke(function: str) -> dict[str, Any]:
            more = {"AWS_ENDPOINT_URL": endpoint, "ORDERS_QUEUE_URL": queue_url}
            *_, response = run_python(INVOKE, function, given=EVENTS[function], **more)
            return dict(json.loads(response))

        started = time.monotonic()
        responses = dict(zip(EVENTS, pool.map(invoke, EVENTS), strict=True))
        elapsed = time.monotonic() - started

    for function, response in responses.items():
        assert (response["statusCode"], body_of(response)["code"]) == (503, CODES[function])
        assert response["headers"]["Retry-After"] == "1"
    # Two attempts of 4 s each. The time includes the start of two interpreters.
    assert 8 < elapsed < longest_call_seconds() + 5
