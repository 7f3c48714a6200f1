"""The state of one seed's run, and its clients, which place orders concurrently, time out and retry."""

import dataclasses
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from faults.backend import Backend
from faults.ledger import Acceptance, Ledger, Request
from faults.plan import ClientOrder, SeedPlan, customer_prefix
from faults.request_faults import Proxy
from support.deployment.api import JSON_TYPE, DeployedApi

CLIENTS = 4
# Shorter than the time after which submission gives up on an unresponsive SQS.
_CLIENT_SECONDS = 6
# The share of acknowledged orders whose status is read at once.
_STATUS_SHARE = 0.1
_POLL_SECONDS = 0.2


class Aborted(BaseException):
    """The test was interrupted; raised in its threads."""


@dataclass
class Context:
    plan: SeedPlan
    backend: Backend
    proxy: Proxy
    aborted: threading.Event
    ledger: Ledger = field(default_factory=Ledger)

    def rng(self, purpose: str) -> random.Random:
        """Return the seed's random number generator for a purpose."""
        return random.Random(f"{self.plan.seed} {purpose}")

    def owns(self, customer_id: str | None) -> bool:
        return customer_id is not None and customer_id.startswith(customer_prefix(self.plan.seed))

    def pause(self, seconds: float) -> None:
        """Wait; raise Aborted if the test is interrupted."""
        if self.aborted.wait(seconds):
            raise Aborted

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Return True as soon as `condition` does, or False after a time limit."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.pause(_POLL_SECONDS)
        return True


def place_orders(
    context: Context, orders: Sequence[ClientOrder], clients: ThreadPoolExecutor
) -> Iterator["Future[None]"]:
    """Place these orders with the clients; yield a future for each."""
    api = dataclasses.replace(context.backend.stack.api, timeout_seconds=_CLIENT_SECONDS)
    for order in orders:
        for click in range(2 if order.is_doubled else 1):
            yield clients.submit(_place, context, api, order, click)


def _place(context: Context, api: DeployedApi, wanted: ClientOrder, click: int) -> None:
    rng = context.rng(f"client {wanted.order} {click}")
    for number in range(wanted.tries):
        if number:
            context.pause(rng.uniform(0.1, 0.4) * 2**number)
        request = _send(api, wanted)
        context.ledger.requests.append(request)
        if request.order_id and rng.random() < _STATUS_SHARE:
            with suppress(OSError, http.client.HTTPException):
                if api.get(request.order_id).status == 404:
                    context.ledger.denied.append(request.order_id)
        if request.acceptance is not Acceptance.INDETERMINATE:
            return


def _send(api: DeployedApi, wanted: ClientOrder) -> Request:
    order, key = wanted.order, wanted.key
    headers = {**JSON_TYPE, **({"Idempotency-Key": key} if key else {})}
    try:
        response = api.post(json.dumps(dataclasses.asdict(order)).encode(), headers)
    except (OSError, http.client.HTTPException):
        return Request(order, key, Acceptance.INDETERMINATE)
    if response.status == 202:
        return Request(order, key, Acceptance.ACKNOWLEDGED, response.json()["order_id"])
    return Request(order, key, Acceptance.INDETERMINATE if response.status >= 500 else Acceptance.REJECTED)
