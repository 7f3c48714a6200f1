"""One seed from its plan to its verdict, and all seeds on one deployment."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.backend import VISIBILITY_SECONDS, Backend
from faults.disruptions import disrupt
from faults.ledger import Findings, Verdict, customer_of
from faults.load import CLIENTS, place_orders
from faults.plan import Plan
from faults.redrive import all_bodies, redrive
from faults.scene import Scene
from faults.wire import Proxy
from faults.wire_faults import WireFaults
from local_stack.report import Report
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.message import read_message
from orders.domain.order import ProcessedOrder

# With every fault over, a failing message is given up after five times this.
_QUIET_VISIBILITY_SECONDS = 2

_DRAIN_SECONDS = 120

# How long faults may go on when all orders are placed.
_LINGER_SECONDS = 15

# So long nothing may happen before the queue counts as drained: longer than an SDK waits to try again.
_STILL_SECONDS = 1.5

_ANNOUNCE_SECONDS = 60


@dataclass(frozen=True)
class SeedResult:
    """What came of one seed; `fired` says how often each kind of fault did."""

    plan: Plan
    verdict: Verdict
    fired: Mapping[str, int]
    seconds: float


class Campaign:
    """The deployed backend behind a proxy, with a subscriber to its announcements."""

    def __init__(self, backend: Backend, report: Report) -> None:
        self.backend = backend
        self.faults = WireFaults()
        self.aborted = threading.Event()
        """Ends all threads of the campaign as soon as they see it."""
        self._report = report
        self._scenes: dict[int, Scene] = {}
        self._announced: Counter[str] = Counter()
        self._customers: dict[str, str] = {}

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Lead the functions through the proxy for the length of a `with` block."""
        with ExitStack() as held:
            settings = self.backend.settings
            self._proxy = held.enter_context(Proxy(settings.connection, self.faults))
            self.backend.lead_functions_to(self._proxy.url)
            self._read_announcements: Callable[[], list[dict[str, Any]]] = held.enter_context(
                self.backend.announcements()
            )
            held.callback(self.aborted.set)
            yield

    def run(self, plan: Plan) -> SeedResult:
        """Run one seed and return its verdict."""
        started = time.monotonic()
        fired_before = Counter(self.faults.fired)
        scene = Scene(plan, self.backend, self.faults, self.aborted)
        self._scenes[plan.seed] = scene
        self._place_orders_under_faults(scene)
        stuck = self._settle(scene)
        verdict = self._judge(scene, stuck)
        return SeedResult(plan, verdict, self.faults.fired - fired_before, time.monotonic() - started)

    def judge_again(self, result: SeedResult) -> SeedResult:
        """Return a seed's result by what is there now: nothing may have come or gone since."""
        stuck = tuple(failure for failure in result.verdict.failures if failure.startswith("stuck"))
        return dataclasses.replace(result, verdict=self._judge(self._scenes[result.plan.seed], stuck))

    def _place_orders_under_faults(self, scene: Scene) -> None:
        plan = scene.plan
        fired_before = Counter(self.faults.fired)

        def all_have_struck() -> bool:
            return not set(plan.wire_faults) - (self.faults.fired - fired_before).keys()

        self._proxy.faults_are_over.clear()
        with (
            ThreadPoolExecutor(CLIENTS, "client") as clients,
            ThreadPoolExecutor(1, "disruption") as disruptor,
            self.faults.active(plan.seed, plan.wire_faults),
        ):
            try:
                for kind, portion in zip(plan.disruptions or ("",), plan.portions(), strict=True):
                    self._say(scene, kind.replace("_", " "))
                    work = [*place_orders(scene, portion, clients)]
                    if kind:
                        work.append(disruptor.submit(disrupt, scene, kind))
                    for done in as_completed(work):
                        done.result()
                # Processing comes after its clients, and may have had no time yet to meet its faults.
                scene.wait_until(lambda: all_have_struck() or not self.backend.unsettled(), _LINGER_SECONDS)
            except BaseException:
                self.aborted.set()
                clients.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                self._proxy.faults_are_over.set()
        while self.faults.late_copies:
            self.faults.late_copies.pop().forward()

    def _settle(self, scene: Scene) -> tuple[str, ...]:
        """Wait until nothing moves any more, with everything put back that an operator would; tell what does."""
        self.backend.hide_received_messages(_QUIET_VISIBILITY_SECONDS)
        try:
            self._say(scene, "draining the queue")
            if not self._is_drained(scene):
                return (f"stuck: {self.backend.unsettled()} messages of the queue were not settled in time",)
            stored = {row.order_id: row.order for row in self.backend.rows()}

            def wanted(body: str) -> bool:
                # An order whose id is stored with another content, by its key, would only fail again.
                if not scene.is_ours(customer_of(body)):
                    return False
                submitted = read_message(body, ORDER_RULES)
                return stored.get(submitted.order_id, submitted.order) == submitted.order

            returned = redrive(
                self.backend.sqs,
                self.backend.outputs["orders_dlq_url"],
                self.backend.outputs["orders_queue_url"],
                wanted,
            )
            if returned:
                self._say(scene, f"{returned} orders put back from the dead-letter queue")
            if returned and not self._is_drained(scene):
                return (f"stuck: {self.backend.unsettled()} messages were not settled after the redrive",)
            return ()
        finally:
            self.backend.hide_received_messages(VISIBILITY_SECONDS)

    def _is_drained(self, scene: Scene) -> bool:
        still_since = time.monotonic()

        def still() -> bool:
            nonlocal still_since
            self._take_announcements()
            if self.backend.unsettled() or self._proxy.under_way:
                still_since = time.monotonic()
            return time.monotonic() - still_since > _STILL_SECONDS

        return scene.wait_until(still, _DRAIN_SECONDS)

    def _judge(self, scene: Scene, stuck: tuple[str, ...]) -> Verdict:
        self._say(scene, "counting")
        all_rows = self.backend.rows()
        rows = [row for row in all_rows if self._concerns(scene, row.order.customer_id)]
        given_up = self._wait_for_announcements(scene, rows)
        verdict = scene.ledger.judge(
            Findings(
                rows,
                [body for body in self._dead_letters() if self._letter_concerns(scene, body)],
                {
                    order_id: count
                    for order_id, count in self._announced.items()
                    if self._concerns(scene, self._customers[order_id])
                },
                frozenset(row.order_id for row in rows if row.order_id in given_up),
            )
        )
        return dataclasses.replace(verdict, failures=(*stuck, *verdict.failures))

    def _wait_for_announcements(self, scene: Scene, rows: list[ProcessedOrder]) -> set[str]:
        """Return the ids whose announcement was given up, when all others of these rows are announced, or never are."""
        given_up: set[str] = set()

        def complete() -> bool:
            self._take_announcements()
            silent = {row.order_id for row in rows} - self._announced.keys()
            if silent:
                given_up.update(self.backend.announcements_given_up())
            return not silent - given_up

        scene.wait_until(complete, _ANNOUNCE_SECONDS)
        return given_up

    def _take_announcements(self) -> None:
        for document in self._read_announcements():
            self._announced[document["order_id"]] += 1
            self._customers[document["order_id"]] = document["customer_id"]

    def _dead_letters(self) -> list[str]:
        return all_bodies(self.backend.sqs, self.backend.outputs["orders_dlq_url"])

    def _concerns(self, scene: Scene, customer_id: str) -> bool:
        """Return whether what a customer has counts for a seed: its own, and what is no seed's, for all of them."""
        return scene.is_ours(customer_id) or not any(each.is_ours(customer_id) for each in self._scenes.values())

    def _letter_concerns(self, scene: Scene, body: str) -> bool:
        others = [each for each in self._scenes.values() if each is not scene]
        if any(body in each.ledger.poison for each in others):
            return False
        customer_id = customer_of(body)
        return not any(each.is_ours(customer_id) for each in others)

    def _say(self, scene: Scene, text: str) -> None:
        self._report.progress(f"seed {scene.plan.seed}: {text}")


@contextmanager
def running_campaign(directory: Path, report: Report) -> Iterator[Campaign]:
    """Deploy the backend in `directory` and make everything ready for the length of a `with` block."""
    with Backend(directory, report) as backend:
        campaign = Campaign(backend, report)
        with campaign.ready():
            yield campaign
