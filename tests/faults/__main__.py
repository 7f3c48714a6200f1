"""`make fault-test`: run the seeds, print progress and a report; exit status 0 if every promise was kept."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from faults.fault_types import DESCRIPTIONS
from faults.ledger import COUNTS
from faults.plan import Config, FaultTestError, make_plan
from faults.run import SeedResult, running_fault_test
from local_stack import LocalStackError
from local_stack.report import Report
from local_stack.settings import REPOSITORY

DIRECTORY = REPOSITORY / ".local" / "fault-test"
_ACKNOWLEDGED = 10_000  # at least, in a full run


def main() -> int:
    terminal = Report(sys.stdout)
    results: list[SeedResult] = []
    config = Config()
    try:
        config = Config.from_environment(os.environ)
        if not Path("/proc/net/tcp").exists():
            raise FaultTestError("it needs Linux, because it finds the functions' processes in /proc.")
        with running_fault_test(DIRECTORY, terminal) as test:
            terminal.step(f"{len(config.seeds)} seeds with {config.orders} orders each")
            for seed in config.seeds:
                results.append(test.run(make_plan(seed, config.orders)))
                terminal.line(seed_line(results[-1]))
            terminal.step("Counting again")
            results = [test.count_again(result) for result in results]
    except (FaultTestError, LocalStackError) as error:
        print(f"\nmake fault-test: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        status, more = 130, [f"interrupted after {len(results)} seeds"]
    else:
        status, more = 1, shortfalls(results, config)
    failures = [*broken_promises(results, config.orders), *more]
    text, path = report(results, failures), DIRECTORY / "report.txt"
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    terminal.line(f"\n{text}\nReport: {os.path.relpath(path)}")
    return status if failures else 0


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


if __name__ == "__main__":
    sys.exit(main())
