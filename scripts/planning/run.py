"""One run of the capacity model: its clock, what its stations share, and the record of what happens."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from planning.arrivals import Arrivals
from planning.limits import Limit, LimitHit
from planning.plan import Plan

if TYPE_CHECKING:
    import simpy

Process: TypeAlias = "Generator[simpy.Event, Any, None]"

# A run that has not drained so many steps after the last arrival is cut off.
MOST_STEPS_TO_DRAIN = 150_000

# Shorter waits are noise of the arrivals and no limit of anything.
NOTABLE_WAIT_SECONDS = 1.0


@dataclass
class Record:
    """What happened, step by step and in sum. Times are in steps, numbers are orders."""

    step_seconds: float
    offered: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)  # in the queue, visible or hidden
    oldest_seconds: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)  # of the mapping
    announcements_waiting: list[int] = field(default_factory=list)

    throttled: int = 0  # 429
    refused: int = 0  # 503, by Lambda
    dead_lettered: int = 0
    expired: int = 0
    announced: int = 0
    announcements_given_up: int = 0
    receives_used_up: int = 0  # deliveries that did not store their order
    batches: float = 0.0
    waits: dict[int, int] = field(default_factory=dict)  # steps from accepted to stored: orders
    settled_step: int = 0
    drained: bool = False
    hits: dict[Limit, int] = field(default_factory=dict)

    def limit_hits(self) -> list[LimitHit]:
        """Return the limits that were met, the first one first."""
        hits = [LimitHit(limit, step * self.step_seconds) for limit, step in self.hits.items()]
        order = list(Limit)
        return sorted(hits, key=lambda hit: (hit.seconds, order.index(hit.limit)))


class Run:
    """What the stations share: the clock, the chance, the record, and the account's concurrency."""

    def __init__(self, arrivals: Arrivals, plan: Plan, seed: int) -> None:
        import numpy as np
        import simpy

        self.arrivals = arrivals
        self.plan = plan
        self.seconds = arrivals.step_seconds
        self.random = np.random.default_rng(seed)
        self.env = simpy.Environment()  # its time is in steps
        self.record = Record(self.seconds)
        # Executions at the same time of the functions without a reservation, as of their last step.
        self.executing = dict.fromkeys(("submission", "status", "processing", "notification"), 0.0)
        reserved = {
            "submission": plan.deployment.submission_reserved_concurrency,
            "processing": plan.deployment.processing_reserved_concurrency,
        }
        self._reserved = {function: kept for function, kept in reserved.items() if kept is not None}

    @property
    def step(self) -> int:
        """The present, in steps."""
        return int(self.env.now)

    def steps(self, seconds: float) -> int:
        """Return how many steps a time takes, one at least."""
        return max(1, round(seconds / self.seconds))

    def seconds_since(self, step: int | None) -> float:
        """Return how long ago a step was; 0 for None."""
        return 0.0 if step is None else (self.step - step) * self.seconds

    def hit(self, limit: Limit) -> None:
        """Note that a limit is met."""
        self.record.hits.setdefault(limit, self.step)

    def each_step(self, act: Callable[[], None]) -> None:
        """Have `act` called in each step, after what was asked for earlier."""

        def process() -> Process:
            while True:
                act()
                yield self.env.timeout(1)

        self.env.process(process())

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Have `act` called once, after some time and before the stations act in that step."""
        # An event of its own and not a process, whose first timeout would come after the stations'.
        event = self.env.timeout(self.steps(seconds))
        assert event.callbacks is not None
        event.callbacks.append(lambda _: act())

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Have `act` called again and again, for the first time after `seconds`."""

        def process() -> Process:
            while True:
                yield self.env.timeout(self.steps(seconds))
                act()

        self.env.process(process())

    def shared_concurrency(self, besides: str) -> float:
        """Return what the other functions leave of the account's concurrency to one that shares it."""
        left = self.plan.quotas.lambda_concurrency + self.executing[besides] - sum(self._reserved.values())
        for function, executions in self.executing.items():
            if function not in self._reserved:
                left -= executions
        return max(0.0, left)
