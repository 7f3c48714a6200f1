"""What the parts of one seed's run share."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faults.backend import Backend
from faults.errors import Aborted
from faults.ledger import Ledger
from faults.plan import Plan, customer_prefix
from faults.wire_faults import WireFaults

_LOOK_SECONDS = 0.1


@dataclass
class Scene:
    """One seed on its way."""

    plan: Plan
    backend: Backend
    faults: WireFaults
    aborted: threading.Event
    """Set when somebody wants the campaign to stop."""
    ledger: Ledger = field(default_factory=Ledger)

    def chance(self, purpose: str) -> random.Random:
        """Return the seed's own randomness for a purpose."""
        return random.Random(f"{self.plan.seed} {purpose}")

    def is_ours(self, customer_id: str | None) -> bool:
        """Return whether a customer is one of this seed."""
        return customer_id is not None and customer_id.startswith(customer_prefix(self.plan.seed))

    def pause(self, seconds: float) -> None:
        """Let so much time pass."""
        if self.aborted.wait(seconds):
            raise Aborted

    def wait_until(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Return True as soon as `probe` does, or False after so long."""
        deadline = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > deadline:
                return False
            self.pause(_LOOK_SECONDS)
        return True
