"""What a run of the capacity model says, as numbers that a person or a program asks for."""

from dataclasses import asdict, dataclass
from typing import Any

from planning.arrivals import Arrivals
from planning.limits import LimitHit
from planning.run import Record


@dataclass(frozen=True)
class Outcome:
    """The result of one run. Numbers are orders, where nothing else is said."""

    profile: str
    offered: int
    accepted: int
    throttled_429: int
    refused_503: int
    stored: int
    dead_lettered: int
    expired: int
    peak_backlog: int
    oldest_order_seconds: float
    drain_seconds: float | None  # from the last arrival; None: not drained before the run was cut off
    wait_p50_seconds: float
    wait_p99_seconds: float
    batch_fill: float
    receives_used_up: int
    announced: int
    announcements_given_up: int
    peak_announcements_waiting: int
    limits: tuple[LimitHit, ...]

    def to_document(self) -> dict[str, Any]:
        """Return it as what JSON can hold, the limits with their explanation."""
        document = asdict(self) | {
            "limits": [
                {
                    "limit": hit.limit.name.lower(),
                    "seconds": round(hit.seconds, 3),
                    "effect": hit.limit.value.text,
                    "setting": hit.limit.value.setting,
                    "is_variable": hit.limit.value.is_variable,
                }
                for hit in self.limits
            ]
        }
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in document.items()}


def outcome(arrivals: Arrivals, record: Record) -> Outcome:
    """Return what `record`, the run of `arrivals`, says."""
    last_arrival = len(arrivals.counts) - 1
    return Outcome(
        profile=arrivals.description,
        offered=sum(record.offered),
        accepted=sum(record.accepted),
        throttled_429=record.throttled,
        refused_503=record.refused,
        stored=sum(record.stored),
        dead_lettered=record.dead_lettered,
        expired=record.expired,
        peak_backlog=max(record.waiting, default=0),
        oldest_order_seconds=max(record.oldest_seconds, default=0.0),
        drain_seconds=max(0, record.settled_step - last_arrival) * record.step_seconds if record.drained else None,
        wait_p50_seconds=_percentile(record, 0.5),
        wait_p99_seconds=_percentile(record, 0.99),
        batch_fill=sum(record.stored) / record.batches if record.batches else 0.0,
        receives_used_up=record.receives_used_up,
        announced=record.announced,
        announcements_given_up=record.announcements_given_up,
        peak_announcements_waiting=max(record.announcements_waiting, default=0),
        limits=tuple(record.limit_hits()),
    )


def _percentile(record: Record, part: float) -> float:
    """Return the wait that `part` of the stored orders did not exceed."""
    wanted = part * sum(record.waits.values())
    seen = 0
    for wait in sorted(record.waits):
        seen += record.waits[wait]
        if seen >= wanted:
            return wait * record.step_seconds
    return 0.0
