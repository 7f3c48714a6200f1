"""Counts what a function sends to AWS for one event: real clients, answered before the network.

    wire.py FOLDER FUNCTION        FOLDER holds the unpacked zip

The last line is JSON: the operations in their order, for each event that the function is handed, and the
modules that were loaded when the first one was answered.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parents[2])]
function = sys.argv[2]
sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives

from bench.probes.played_aws import play_aws  # noqa: E402
from bench.probes.sample_events import (  # noqa: E402
    BATCH,
    ITEMS,
    ORDER_IDS,
    REQUEST,
    REQUEST_WITHOUT_ORDER,
    STREAM_BATCH,
    status_request,
)

published = "".join(f"<member><Id>{number}</Id><MessageId>m</MessageId></member>" for number in range(10))
answers: dict[str, Any] = {
    "SendMessage": {"MessageId": "m"},
    "BatchExecuteStatement": {"Responses": [{} for _ in ITEMS]},
    "BatchGetItem": {"Responses": {"orders": ITEMS}},
    "GetItem": {"Item": ITEMS[0]},
    "PublishBatch": f"<PublishBatchResponse><PublishBatchResult><Successful>{published}</Successful>"
    "</PublishBatchResult></PublishBatchResponse>",
}
already_there = {"BatchExecuteStatement": {"Responses": [{"Error": {"Code": "DuplicateItem"}} for _ in ITEMS]}}

Event = tuple[str, dict[str, Any], dict[str, Any]]
events: dict[str, list[Event]] = {
    "submission": [("one order", REQUEST, {}), ("a request without an order", REQUEST_WITHOUT_ORDER, {})],
    "processing": [("ten new orders", BATCH, {}), ("ten orders that are stored", BATCH, already_there)],
    "status": [("an order id", status_request(ORDER_IDS[0]), {}), ("a typo", status_request("1"), {})],
    "notification": [("ten stored orders", STREAM_BATCH, {})],
}

sent = play_aws(answers)
handler = importlib.import_module(f"orders.handlers.{function}").handler

operations: dict[str, list[str]] = {}
modules: list[str] = []
for name, event, other_answers in events[function]:
    answers.update(other_answers)
    result = handler(event, None)
    assert result.get("statusCode", 0) < 500, result
    assert not result.get("batchItemFailures"), result
    operations[name] = sent.copy()
    sent.clear()
    modules = modules or sorted(sys.modules)

assert sys.__stdout__ is not None
print(json.dumps({"operations": operations, "modules": modules}), file=sys.__stdout__)
