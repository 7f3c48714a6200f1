"""`make bench`: print a table of measurements and write it to .local/bench/bench.md."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import build_lambda
from bench.cold_starts import can_count_instructions, start_instructions, start_times
from bench.measurement import Measurement, markdown_table
from bench.throughput import Throughput
from local_stack import LocalStack, LocalStackError, Settings
from local_stack.machine import free_port
from local_stack.report import Report
from local_stack.settings import REPOSITORY

RESULT = REPOSITORY / ".local" / "bench" / "bench.md"


@dataclass(frozen=True)
class Sizes:
    """The number of repetitions of a run."""

    starts: int = 25
    intake_rounds: int = 5
    intake_seconds: float = 3.0
    drain_rounds: int = 3
    drained_orders: int = 2000


QUICK = Sizes(starts=3, intake_rounds=1, intake_seconds=1.0, drain_rounds=1, drained_orders=200)


def main() -> int:
    """Run the command; return 1 if a full run missed a target."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run few repetitions, to check that the benchmark works")
    is_quick = parser.parse_args().quick
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, load = time.monotonic(), os.getloadavg()[0]
    try:
        measurements = []
        for measurement in measure(QUICK if is_quick else Sizes()):
            measurements.append(measurement)
            print(f"  {measurement.name}: ratio {measurement.ratio:.2f}", flush=True)
    except KeyboardInterrupt:
        print("\nmake bench: interrupted; the result of the last full run is unchanged", file=sys.stderr)
        return 130
    except (LocalStackError, build_lambda.BuildError, RuntimeError) as error:
        print(f"\nmake bench: {error}", file=sys.stderr)
        return 1
    table = markdown_table(measurements)
    print(f"\n{table}")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors, load average "
        f"{load:.1f} before and {os.getloadavg()[0]:.1f} after, {time.monotonic() - started:.0f} s"
    )
    if is_quick:
        print("A quick run is too short to check targets.")
        return 0
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(table, encoding="utf-8")
    print(f"Written to {os.path.relpath(RESULT)}.")
    missed = [measurement.name for measurement in measurements if not measurement.is_met]
    if missed:
        print(f"\nmake bench: targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def measure(sizes: Sizes) -> Iterator[Measurement]:
    """Yield all measurements."""
    zip_path = build_lambda.build("local")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary) / "task"
        with zipfile.ZipFile(zip_path) as archive:
            archive.extractall(folder)
        print("Cold starts")
        yield from start_times(folder, sizes.starts)
        if can_count_instructions():
            yield from start_instructions(folder)
        else:
            print("  Skipped: instructions of cold starts, because valgrind is not installed")
        settings = Settings(
            storefront_port=free_port(), aws_port=free_port(), local_directory=Path(temporary) / "stack"
        )
        with LocalStack(settings, Report(sys.stdout)) as stack:
            throughput = Throughput(stack, zip_path)
            yield throughput.intake(sizes.intake_rounds, sizes.intake_seconds)
            yield throughput.draining(sizes.drain_rounds, sizes.drained_orders)


if __name__ == "__main__":
    sys.exit(main())
