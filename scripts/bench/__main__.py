"""`make bench`: print a table of measurements and write it to .local/bench/bench.md."""

import os
import platform
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import build_lambda
from bench.cold_starts import start_instructions, start_times
from bench.measurement import Measurement, markdown_table
from bench.throughput import Throughput
from local_stack import LocalStack, LocalStackError, Settings
from local_stack.machine import free_port
from local_stack.report import Report
from local_stack.settings import REPOSITORY

RESULT = REPOSITORY / ".local" / "bench" / "bench.md"


def main() -> int:
    """Run the benchmark; return 1 if a target is missed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, load = time.monotonic(), os.getloadavg()[0]
    try:
        measurements = []
        for measurement in measure():
            measurements.append(measurement)
            print(f"  {measurement.name}: ratio {measurement.ratio:.2f}", flush=True)
    except KeyboardInterrupt:
        print("\nmake bench: interrupted; the result of the last run is unchanged", file=sys.stderr)
        return 130
    except (LocalStackError, build_lambda.BuildError, RuntimeError) as error:
        print(f"\nmake bench: {error}", file=sys.stderr)
        return 1
    table = markdown_table(measurements)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(table, encoding="utf-8")
    print(f"\n{table}")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors, load average "
        f"{load:.1f} before and {os.getloadavg()[0]:.1f} after, {time.monotonic() - started:.0f} s. "
        f"Written to {os.path.relpath(RESULT)}."
    )
    missed = [measurement.name for measurement in measurements if not measurement.is_met]
    if missed:
        print(f"\nmake bench: targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def measure() -> Iterator[Measurement]:
    """Yield all measurements."""
    zip_path = build_lambda.build("local")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary) / "task"
        with zipfile.ZipFile(zip_path) as archive:
            archive.extractall(folder)
        print("Cold starts")
        yield from start_times(folder, rounds=25)
        if shutil.which("valgrind"):
            yield from start_instructions(folder)
        else:
            print("  Skipped: instructions of cold starts, because valgrind is not installed")
        settings = Settings(
            storefront_port=free_port(), aws_port=free_port(), local_directory=Path(temporary) / "stack"
        )
        with LocalStack(settings, Report(sys.stdout)) as stack:
            throughput = Throughput(stack, zip_path)
            yield throughput.intake(rounds=5, seconds=3.0)
            yield throughput.draining(rounds=3, orders=2000)


if __name__ == "__main__":
    sys.exit(main())
