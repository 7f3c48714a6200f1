"""Instructions instead of seconds, where valgrind is installed: the same on a busy machine as on a quiet one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import Figure
from bench.interpreters import ENVIRONMENT, SERVICES, command
from bench.starts import AT_MOST, FLOOR
from bench.work import FLOORS, NAMES, ORDERS_PER_EVENT

_FEW, _MANY = 20, 220
_TIMEOUT_SECONDS = 600


def can_count() -> bool:
    """Whether this machine can count instructions."""
    return shutil.which("valgrind") is not None


def instructions(folder: Path) -> Iterator[Figure]:
    """Yield cold starts and warm costs in instructions, with the floors of `starts` and `work`."""
    commands: dict[tuple[str, ...], list[str]] = {}
    for name in SERVICES:
        commands["start", name] = command("start", "function", name, folder)
    for service in sorted(set(SERVICES.values())):
        commands["floor", service] = command("start", "floor", service)
    for function in ORDERS_PER_EVENT:
        for who in ("function", "sdk"):
            for events in (_FEW, _MANY):
                commands[function, who, str(events)] = command("handle", folder, function, "1", str(events), who)
    with ThreadPoolExecutor(os.cpu_count()) as valgrinds:
        counts = dict(zip(commands, valgrinds.map(_count, commands.values()), strict=True))

    for name, service in SERVICES.items():
        own, floor = counts["start", name] / 1e6, counts["floor", service] / 1e6
        yield Figure(
            f"instructions of a cold start, {name}", own, "M", floor, FLOOR, own / floor, at_most=AT_MOST[name]
        )
    for function, orders in ORDERS_PER_EVENT.items():
        own, sdk = (
            (counts[function, who, str(_MANY)] - counts[function, who, str(_FEW)]) / (_MANY - _FEW) / orders / 1000
            for who in ("function", "sdk")
        )
        yield Figure(f"instructions of {NAMES[function]}", own, "k", sdk, FLOORS[function], own / sdk)


def _count(program: Sequence[str]) -> int:
    """Run a program under valgrind and return how many instructions it executed."""
    ran = subprocess.run(
        ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}", *program],
        env={**ENVIRONMENT, "PATH": os.environ.get("PATH", "")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    count = re.search(r"I\s+refs:\s+([\d,]+)", ran.stderr)
    if ran.returncode != 0 or count is None:
        raise RuntimeError(f"valgrind could not count instructions: {ran.stderr.strip()[-1000:]}")
    return int(count[1].replace(",", ""))
