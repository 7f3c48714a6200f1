"""`make bench`: measures all, prints a table and writes it and JSON to .local/bench."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import FrameType
from typing import NoReturn

import build_lambda
from bench.bare_functions import BareFunctions
from bench.drain import Drain, drains
from bench.figures import Figure, markdown
from bench.instructions import can_count, instructions
from bench.intake import intake, time_to_processed
from bench.interpreters import unpack
from bench.starts import cold_starts, memory
from bench.wires import package, round_trips
from bench.work import warm_costs
from local_stack import LocalStack, LocalStackError, Settings
from local_stack.machine import free_port
from local_stack.report import Terminal
from local_stack.settings import REPOSITORY

PARTS = ("in-process", "deployed")
RESULTS = REPOSITORY / ".local" / "bench"


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and where the results go."""

    starts: int = 25
    warm_rounds: int = 40
    intake_rounds: int = 5
    intake_seconds: float = 3.0
    followed_orders: int = 200
    drained_orders: int = 2000
    drain_rounds: int = 3
    results: Path = RESULTS
    is_enough_to_judge: bool = True


QUICK = Sizes(
    starts=5,
    warm_rounds=10,
    intake_rounds=1,
    intake_seconds=1.5,
    followed_orders=20,
    drained_orders=300,
    drain_rounds=1,
    results=RESULTS / "quick",
    is_enough_to_judge=False,
)


class StepTimes(Terminal):
    """Tells a person what a local stack does, and keeps when each step began."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.begun: dict[str, float] = {}

    def step(self, text: str) -> None:
        """Say what begins now."""
        self.begun[text] = time.perf_counter()
        super().step(text)

    def email(self, email: EmailMessage) -> None:
        """Say nothing: there are hundreds."""


def main() -> int:
    """Run the command line; return the exit status: 1 where a target was missed in a whole run."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little, to see that everything works")
    parser.add_argument("--only", choices=PARTS, help="measure in process only, or only what is deployed")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(sizes, [options.only] if options.only else PARTS)
    except KeyboardInterrupt:
        print("\nmake bench: stopped; the results of the last whole run are untouched", file=sys.stderr)
        return 130
    except (LocalStackError, build_lambda.BuildError, RuntimeError) as error:
        print(f"\nmake bench: {error}", file=sys.stderr)
        return 1


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _run(sizes: Sizes, parts: Sequence[str]) -> int:
    started = time.monotonic()
    load_before = os.getloadavg()[0]
    zip_path = build_lambda.build("local")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = unpack(zip_path, Path(temporary) / "task")
        measured = {
            "in-process": lambda: _in_process(zip_path, folder, sizes),
            "deployed": lambda: _deployed(zip_path, Path(temporary) / "stack", sizes),
        }
        for part in parts:
            for figure in measured[part]():
                _tell(figure, figures)
    run = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "seconds": round(time.monotonic() - started),
    }
    return _report(run, figures, sizes)


def _in_process(zip_path: Path, folder: Path, sizes: Sizes) -> Iterator[Figure]:
    print("\nThe package and what goes over the wire")
    yield from package(zip_path)
    yield from round_trips(folder)
    print("\nCold starts")
    yield from cold_starts(folder, sizes.starts)
    yield from memory(folder)
    print("\nOwn work")
    yield from warm_costs(folder, sizes.warm_rounds)
    if can_count():
        print("\nInstructions, by valgrind")
        yield from instructions(folder)
    else:
        print("\nInstructions are not counted: valgrind is not installed.")


def _deployed(zip_path: Path, directory: Path, sizes: Sizes) -> Iterator[Figure]:
    print()
    report = StepTimes()
    settings = Settings(storefront_port=free_port(), aws_port=free_port(), local_directory=directory)
    began = time.perf_counter()
    with LocalStack(settings, report) as stack:
        ready = time.perf_counter()
        began_to_deploy, deployed = (
            next(when for step, when in report.begun.items() if step.startswith(word))
            for word in ("Deploying", "Serving")
        )
        alone = deployed - began_to_deploy
        yield Figure(
            "make run to ready, first start", ready - began, "s", alone, "deploying alone", (ready - began) / alone
        )

        functions = BareFunctions(stack, zip_path)
        drain = Drain(stack, functions)
        report.step("\nFrom 202 to PROCESSED")
        yield from time_to_processed(stack.api_url, sizes.followed_orders)

        report.step("\nIntake, with nothing behind the queue")
        drain.wait_until_empty()
        functions.switch(functions.own_mapping()["UUID"], False)
        functions.switch(functions.own_stream_mapping_id(), False)
        functions.deploy_submission()
        yield from intake(stack.api_url, sizes.intake_rounds, sizes.intake_seconds, drain.empty)

        report.step("\nDraining the queue, with nothing behind the table")
        yield from drains(drain, functions, sizes.drained_orders, sizes.drain_rounds, report.progress)


def _tell(figure: Figure, figures: list[Figure]) -> None:
    figures.append(figure)
    compared = "" if figure.ratio is None else f"  ratio {figure.ratio:.2f}"
    print(
        f"  {figure.name}: {figure.value:.3g} {figure.unit}{compared}{'  MISSED' if figure.met is False else ''}",
        flush=True,
    )


def _report(run: dict[str, object], figures: list[Figure], sizes: Sizes) -> int:
    results = sizes.results
    results.mkdir(parents=True, exist_ok=True)
    document = {**run, "figures": [figure.to_document() for figure in figures]}
    (results / "bench.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    table = "\n".join(markdown(figures))
    (results / "bench.md").write_text(table + "\n", encoding="utf-8")
    print(f"\n{table}\n")
    print(", ".join(f"{name} {value}" for name, value in run.items()))
    print(f"Written to {os.path.relpath(results)}: bench.json and bench.md.")
    missed = [figure.name for figure in figures if figure.met is False]
    if missed and not sizes.is_enough_to_judge:
        print("A target missed in so short a run says little; `make bench` measures all.")
        return 0
    if missed:
        print(f"\nmake bench: {len(missed)} targets missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
