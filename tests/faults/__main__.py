"""`make fault-test`: the campaign over all seeds, with progress, a report and an exit status."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from faults import report
from faults.choice import Choice
from faults.errors import CampaignError
from faults.kinds import ALL_KINDS
from faults.plan import make_plan
from faults.run import SeedResult, running_campaign
from local_stack import LocalStackError
from local_stack.report import Report
from local_stack.settings import REPOSITORY

DIRECTORY = REPOSITORY / ".local" / "prove"

# What the promises are measured by, where all seeds are run.
_ACKNOWLEDGED = 10_000
_KINDS = 12

_INTERRUPTED = 130


def main() -> int:
    """Run the seeds that were chosen; return the exit status: 0 where every promise was kept."""
    terminal = Report(sys.stdout)
    results: list[SeedResult] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        choice = Choice.from_environment(os.environ)
        with running_campaign(DIRECTORY, terminal) as campaign:
            terminal.step(f"{len(choice.seeds)} seeds with {choice.orders} orders each")
            for seed in choice.seeds:
                results.append(campaign.run(make_plan(seed, choice.orders)))
                terminal.line(report.seed_line(results[-1]))
            terminal.step("Counting again")
            results = [campaign.judge_again(result) for result in results]
    except KeyboardInterrupt:
        _tell(terminal, results, [*_failures(results), f"the campaign was interrupted after {len(results)} seeds"])
        return _INTERRUPTED
    except (CampaignError, LocalStackError) as error:
        print(f"\nmake fault-test: {error}", file=sys.stderr)
        return 2
    failures = [*_failures(results), *_shortcomings(results, choice)]
    _tell(terminal, results, failures)
    return 1 if failures else 0


def _interrupt(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _failures(results: list[SeedResult]) -> list[str]:
    """Return everything that must not be, with what repeats it."""
    return [
        f"seed {result.plan.seed}: {failure}; repeat it with: make fault-test SEEDS={result.plan.seed} "
        f"ORDERS={result.plan.orders}"
        for result in results
        for failure in result.verdict.failures
    ]


def _shortcomings(results: list[SeedResult], choice: Choice) -> list[str]:
    """Return in which way the campaign proved less than it is there for."""
    fired = report.fired(results)
    planned = frozenset[str]().union(*(result.plan.kinds for result in results))
    missing = [f"the campaign never injected: {kind}" for kind in ALL_KINDS if kind in planned and not fired[kind]]
    if choice.is_whole:
        acknowledged = report.totals(results)["acknowledged"]
        if acknowledged < _ACKNOWLEDGED:
            missing.append(f"the campaign saw {acknowledged} acknowledged orders, {_ACKNOWLEDGED} are wanted")
        if (kinds := sum(count > 0 for count in fired.values())) < _KINDS:
            missing.append(f"the campaign injected {kinds} kinds of faults, {_KINDS} are wanted")
    return missing


def _tell(terminal: Report, results: list[SeedResult], failures: list[str]) -> None:
    if not results:
        return
    files = report.write(DIRECTORY, results, failures)
    terminal.line(f"\n{report.table(results)}")
    for failure in failures:
        terminal.line(failure)
    if not failures:
        terminal.line("Nothing lost, nothing duplicated, nothing unexpected, every stored order announced.")
    terminal.line("Report: " + ", ".join(os.path.relpath(file) for file in files))


if __name__ == "__main__":
    sys.exit(main())
