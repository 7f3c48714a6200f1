"""Cold starts: from the start of a fresh interpreter to a handler that is ready, and the memory it then holds."""

import random
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, compared
from bench.interpreters import SERVICES, run, seconds_until_ready

# Submission may take longer: it holds the rules of an order.
AT_MOST = {"submission": 1.35, "processing": 1.10, "status": 1.10, "notification": 1.10}

FLOOR = "boto3 and one client"


def cold_starts(folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield the cold start of each function of the zip unpacked in `folder`, against boto3 with one client."""
    starts = {("function", name, str(folder)): [] for name in SERVICES}  # type: dict[tuple[str, ...], list[float]]
    starts |= {("floor", service): [] for service in sorted(set(SERVICES.values()))}
    for start in starts:
        seconds_until_ready("start", *start)  # reads the files from the disk, once
    order = random.Random(1)  # noqa: S311 - so that nothing is always measured after the same
    for _ in range(rounds):
        for start in order.sample(list(starts), len(starts)):
            starts[start].append(1000 * seconds_until_ready("start", *start))
    for name, service in SERVICES.items():
        yield compared(
            f"cold start, {name}",
            starts["function", name, str(folder)],
            starts["floor", service],
            "ms",
            FLOOR,
            at_most=AT_MOST[name],
        )


def memory(folder: Path) -> Iterator[Figure]:
    """Yield the most memory that each function holds until it is ready, where the system tells it."""
    for name, service in SERVICES.items():
        held = run("start", "function", name, folder)["memory_kib"] / 1024
        floor = run("start", "floor", service)["memory_kib"] / 1024
        if held and floor:
            yield Figure(f"memory of a worker, {name}", held, "MiB", floor, FLOOR, held / floor)
