"""Run seeds on one deployment, each from its plan to its result."""

import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import disruptions
from faults.backend import Backend, running_backend
from faults.ledger import Counts, Findings, customer_of
from faults.plan import SeedPlan
from faults.request_faults import Proxy
from faults.seed import CLIENTS, Context, place_orders
from local_stack.report import Report
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.message import read_message

# Without faults, a failing message is dead-lettered after five times this duration.
_QUIET_VISIBILITY_SECONDS = 2
_DRAIN_SECONDS = 120
# The queue is drained after this long without messages: longer than an SDK waits before a retry.
_IDLE_SECONDS = 1.5
_ANNOUNCE_SECONDS = 60


@dataclass(frozen=True)
class SeedResult:
    """The result of a seed; `injected` counts each fault type."""

    plan: SeedPlan
    counts: Counts
    injected: Mapping[str, int]
    seconds: float


@contextmanager
def running_fault_test(directory: Path, report: Report) -> Iterator["FaultTest"]:
    """Deploy the backend in `directory`, route its functions through the proxy, and subscribe to announcements."""
    with running_backend(directory, report) as backend, Proxy(backend.connection) as proxy, proxy.running():
        backend.set_endpoint(proxy.url)
        topic_arn = backend.outputs["order_completed_topic_arn"]
        with backend.stack.subscribed_queue(topic_arn, "fault-test") as read:
            test = FaultTest(backend, proxy, read)
            try:
                yield test
            finally:
                test.aborted.set()


class FaultTest:
    def __init__(self, backend: Backend, proxy: Proxy, read: Callable[[], list[Any]]) -> None:
        self.backend = backend
        self.aborted = threading.Event()
        """Set to end all threads."""
        self._proxy = proxy
        self._read_announcements = read
        self._contexts: list[Context] = []
        self._announced: Counter[str] = Counter()
        self._customers: dict[str, str] = {}  # of each announced order id

    def run(self, plan: SeedPlan) -> SeedResult:
        started = time.monotonic()
        context = Context(plan, self.backend, self._proxy, self.aborted)
        self._contexts.append(context)
        self._proxy.injected.clear()
        self._place_orders_under_faults(context)
        injected = Counter(self._proxy.injected)
        with self.backend.visibility_timeout(_QUIET_VISIBILITY_SECONDS):
            stuck = self._drain(context)
            if not stuck and self._redrive(context):
                stuck = self._drain(context)
        counts = self._count(context)
        counts = dataclasses.replace(counts, failures=(*stuck, *counts.failures))
        return SeedResult(plan, counts, injected, time.monotonic() - started)

    def count_again(self, result: SeedResult) -> SeedResult:
        """Return a seed's result with the failures since its end, such as an order that was stored twice."""
        [context] = [each for each in self._contexts if each.plan is result.plan]
        counts = self._count(context)
        failures = dict.fromkeys((*result.counts.failures, *counts.failures))
        return dataclasses.replace(result, counts=dataclasses.replace(counts, failures=tuple(failures)))

    def _place_orders_under_faults(self, context: Context) -> None:
        plan, proxy = context.plan, self._proxy
        proxy.faults_are_over.clear()
        with (
            ThreadPoolExecutor(CLIENTS, "client") as clients,
            ThreadPoolExecutor(1, "disruption") as disruptor,
            proxy.active(plan.seed, plan.request_faults),
        ):
            try:
                for disruption, portion in zip(plan.disruptions or ("",), plan.portions(), strict=True):
                    # The disruption starts first, so that it affects orders on a slow machine too.
                    futures = [disruptor.submit(_disrupt, context, disruption)] if disruption else []
                    futures += place_orders(context, portion, clients)
                    for done in as_completed(futures):
                        done.result()

                # Processing and notification lag behind the clients, and their faults must occur too.
                def is_over() -> bool:
                    missing = set(plan.request_faults) - proxy.injected.keys()
                    return not missing or not (self.backend.depth().total or self._unannounced_order_ids(context))

                context.wait_until(is_over, _DRAIN_SECONDS)
            except BaseException:
                self.aborted.set()
                clients.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                proxy.faults_are_over.set()
        while proxy.late_copies:
            proxy.late_copies.pop().forward()

    def _drain(self, context: Context) -> tuple[str, ...]:
        """Wait until the queue is empty; return a failure if that takes too long."""
        idle_since = time.monotonic()

        def is_idle() -> bool:
            nonlocal idle_since
            self._receive_announcements()
            if self.backend.depth().total:
                idle_since = time.monotonic()
            return time.monotonic() - idle_since > _IDLE_SECONDS

        if context.wait_until(is_idle, _DRAIN_SECONDS):
            return ()
        return (f"stuck: {self.backend.depth().total} messages stayed in the queue",)

    def _redrive(self, context: Context) -> int:
        """Redrive the dead letters of valid orders as an operator would; return how many."""
        stored = {row.order_id: row.order for row in self.backend.rows()}

        def is_wanted(body: str) -> bool:
            # An order whose id is stored with different content would fail again.
            if not context.owns(customer_of(body)):
                return False
            submitted = read_message(body, ORDER_RULES)
            return stored.get(submitted.order_id, submitted.order) == submitted.order

        return self.backend.redrive(is_wanted)

    def _count(self, context: Context) -> Counts:
        context.wait_until(lambda: not self._unannounced_order_ids(context), _ANNOUNCE_SECONDS)
        rows = [row for row in self.backend.rows() if self._concerns(context, row.order.customer_id)]
        others = {body for other in self._contexts if other is not context for body in other.ledger.poison}
        letters = self.backend.dead_letters("orders_dlq_url", lambda letter: str(letter["Body"]))
        return context.ledger.count(
            Findings(
                rows,
                [body for body in letters if body not in others and self._concerns(context, customer_of(body))],
                {id_: n for id_, n in self._announced.items() if self._concerns(context, self._customers[id_])},
                self.backend.announcements_given_up() & {row.order_id for row in rows},
            )
        )

    def _unannounced_order_ids(self, context: Context) -> set[str]:
        """Return the stored orders that are neither announced nor given up."""
        self._receive_announcements()
        stored = {row.order_id for row in self.backend.rows() if self._concerns(context, row.order.customer_id)}
        unannounced = stored - self._announced.keys()
        return unannounced - self.backend.announcements_given_up() if unannounced else unannounced

    def _receive_announcements(self) -> None:
        for message in self._read_announcements():
            order = json.loads(message["Message"])
            self._announced[order["order_id"]] += 1
            self._customers[order["order_id"]] = order["customer_id"]

    def _concerns(self, context: Context, customer_id: str | None) -> bool:
        """Return whether a customer counts for this seed. Customers that belong to no seed count for every seed."""
        return context.owns(customer_id) or not any(other.owns(customer_id) for other in self._contexts)


def _disrupt(context: Context, name: str) -> None:
    if getattr(disruptions, name)(context):
        context.proxy.note(name)
