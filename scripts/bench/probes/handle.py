"""Measures what a function does for an event besides its call to AWS, and what the SDK does for that call.

    handle.py FOLDER FUNCTION ROUNDS EVENTS [WHO]

FOLDER holds the unpacked zip; FUNCTION is submission (an event is one order) or processing (ten). In each of
ROUNDS rounds the function handles EVENTS events, with a client that says yes at once; then the SDK makes the
same EVENTS calls, answered before the network. WHO is "function" or "sdk" for one of them alone. The last
line is the processor time of each round, in microseconds an event, as JSON.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parents[2])]
function = sys.argv[2]
rounds, events = map(int, sys.argv[3:5])
who = sys.argv[5:] or ["function", "sdk"]
# Log lines are formatted and written, to nobody.
sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives

from bench.probes.played_aws import play_aws  # noqa: E402
from bench.probes.sample_events import BATCH, REQUEST  # noqa: E402

STORED: dict[str, Any] = {"Responses": [{} for _ in BATCH["Records"]]}

# Before any session is made.
play_aws({"SendMessage": {"MessageId": "m"}, "BatchExecuteStatement": STORED})
clients = importlib.import_module("orders.adapters.clients")
event, service, operation = {
    "submission": (REQUEST, "sqs", "send_message"),
    "processing": (BATCH, "dynamodb", "batch_execute_statement"),
}[function]
call = getattr(clients.make_client(service), operation)


class YesMan:
    """Stands in for a client: takes everything, and keeps what it was given last."""

    given: dict[str, Any]

    def send_message(self, **given: Any) -> dict[str, Any]:
        """Take a message."""
        self.given = given
        return {"MessageId": "m"}

    def batch_execute_statement(self, **given: Any) -> dict[str, Any]:
        """Store every order."""
        self.given = given
        return STORED


yes_man = YesMan()
clients.make_client = lambda _: yes_man  # type: ignore[attr-defined]
handler = importlib.import_module(f"orders.handlers.{function}").handler
answer = handler(event, None)
assert answer.get("statusCode", 202) == 202, answer
assert not answer.get("batchItemFailures"), answer
given = yes_man.given
call(**given)

work: dict[str, Callable[[], Any]] = {"function": lambda: handler(event, None), "sdk": lambda: call(**given)}
microseconds: dict[str, list[float]] = {name: [] for name in who}
for _ in range(rounds):
    for name in who:
        do = work[name]
        started = time.process_time_ns()
        for _ in range(events):
            do()
        microseconds[name].append((time.process_time_ns() - started) / events / 1000)

assert sys.__stdout__ is not None
print(json.dumps(microseconds), file=sys.__stdout__)
