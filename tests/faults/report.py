"""The report of `make fault-test`."""

from collections import Counter
from collections.abc import Sequence

from faults.fault_types import DESCRIPTIONS
from faults.ledger import COUNTS
from faults.plan import Config
from faults.run import SeedResult

_ACKNOWLEDGED = 10_000  # at least, in a full run


def seed_line(result: SeedResult) -> str:
    counts = result.counts.numbers
    faults = ", ".join(f"{name} {result.injected.get(name, 0)}" for name in sorted(result.plan.fault_types))
    return (
        f"seed {result.plan.seed:>3}  {'FAILED' if result.counts.failures else 'ok':<6} {result.seconds:5.1f} s  "
        f"{counts['acknowledged']} of {counts['attempted']} acknowledged, {counts['stored']} stored  [{faults}]"
    )


def injected(results: Sequence[SeedResult]) -> Counter[str]:
    return sum((Counter(result.injected) for result in results), Counter())


def broken_promises(results: Sequence[SeedResult], orders: int) -> list[str]:
    """Return every failure, with the command that repeats it."""
    return [
        f"seed {result.plan.seed}: {failure}; repeat with: make fault-test SEEDS={result.plan.seed} ORDERS={orders}"
        for result in results
        for failure in result.counts.failures
    ]


def shortfalls(results: Sequence[SeedResult], config: Config) -> list[str]:
    """Return the parts of the plan that the run did not test."""
    count = injected(results)
    planned = frozenset[str]().union(*(result.plan.fault_types for result in results))
    missing = [f"this fault type was never injected: {name}" for name in DESCRIPTIONS if name in planned - count.keys()]
    if config.is_full:
        acknowledged = sum(result.counts.numbers["acknowledged"] for result in results)
        if acknowledged < _ACKNOWLEDGED:
            missing.append(f"{acknowledged} orders were acknowledged; a full run needs {_ACKNOWLEDGED}")
    return missing


def report(results: Sequence[SeedResult], failures: Sequence[str]) -> str:
    """Return the totals of all seeds, the injected faults and the failures."""
    lines = [seed_line(result) for result in results] + [""]
    for name, meaning in COUNTS.items():
        total = sum(result.counts.numbers[name] for result in results)
        lines.append(f"{name.replace('_', ' '):<24} {total:>8}  {meaning}".rstrip())
    lines += ["", f"{'fault type':<24} {'injected':>8}"]
    count = injected(results)
    lines += [f"{name:<24} {count[name]:>8}  {description}" for name, description in DESCRIPTIONS.items()]
    return "\n".join([*lines, "", *(failures or ["No order was lost or duplicated; every stored order is announced."])])
