"""SnapStart restores many environments from one snapshot. A fork simulates a restore.

test_performance.py checks that a cold start opens no connection, which a snapshot would contain.
"""

import json

from support.machine.python import run_python
from support.sample_orders import SAMPLE_BODY
from support.stub_aws.events import http_event

# Prints the responses of two processes that are forked after initialization.
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


def test_environments_of_one_snapshot_issue_different_order_ids() -> None:
    printed = map(json.loads, run_python(TWICE, given=http_event(SAMPLE_BODY.decode())))

    order_ids = {json.loads(line["body"])["order_id"] for line in printed if "body" in line}
    assert len(order_ids) == 2
