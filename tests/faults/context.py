"""The state that the parts of one seed's run share."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faults.backend import Backend
from faults.ledger import Ledger
from faults.plan import SeedPlan, customer_prefix
from faults.request_faults import RequestFaults

_POLL_SECONDS = 0.2


class Aborted(BaseException):
    """The test was interrupted; raised in its threads."""


@dataclass
class Context:
    plan: SeedPlan
    backend: Backend
    faults: RequestFaults
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
