"""`make fault-test`: run the seeds, print progress and a report; exit status 0 if every promise was kept."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from faults.plan import Config, FaultTestError, make_plan
from faults.report import broken_promises, report, seed_line, shortfalls
from faults.run import SeedResult, running_fault_test
from local_stack import LocalStackError
from local_stack.report import Report
from local_stack.settings import REPOSITORY

DIRECTORY = REPOSITORY / ".local" / "fault-test"


def main() -> int:
    terminal = Report(sys.stdout)
    results: list[SeedResult] = []
    config = Config()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
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
    except KeyboardInterrupt:
        interrupted = f"interrupted after {len(results)} seeds"
        _finish(terminal, results, [*broken_promises(results, config.orders), interrupted])
        return 130
    except (FaultTestError, LocalStackError) as error:
        print(f"\nmake fault-test: {error}", file=sys.stderr)
        return 2
    failures = [*broken_promises(results, config.orders), *shortfalls(results, config)]
    _finish(terminal, results, failures)
    return 1 if failures else 0


def _interrupt(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _finish(terminal: Report, results: list[SeedResult], failures: list[str]) -> None:
    text = report(results, failures)
    path = DIRECTORY / "report.txt"
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    terminal.line(f"\n{text}\nReport: {os.path.relpath(path)}")


if __name__ == "__main__":
    sys.exit(main())
