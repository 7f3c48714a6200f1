"""Starts one function, or boto3 with one client as its floor, and says when it is ready.

    start.py function NAME FOLDER      the function NAME of the zip that is unpacked in FOLDER
    start.py floor SERVICE             boto3 and a client of SERVICE

The first byte on standard output means ready; the last line is what it has loaded, as JSON.
"""

import gc
import sys

collections_before = sum(generation["collections"] for generation in gc.get_stats())

if sys.argv[1] == "function":
    sys.path.insert(0, sys.argv[3])
    __import__(f"orders.handlers.{sys.argv[2]}")
else:
    import boto3

    boto3.client(sys.argv[2])

sys.stdout.write("ready\n")
sys.stdout.flush()

collections = sum(generation["collections"] for generation in gc.get_stats()) - collections_before

import json  # noqa: E402 - both have loaded it
from pathlib import Path  # noqa: E402

STATUS = Path("/proc/self/status")


def most_memory_kib() -> int:
    """Return the most memory that this process ever held, in KiB; 0 where the system does not tell it."""
    # Not getrusage: its maximum begins with that of the process that started this one.
    if not STATUS.exists():
        return 0
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))


print(
    json.dumps(
        {
            "memory_kib": most_memory_kib(),
            "modules": sorted(sys.modules),
            "collections": collections,
            "collects": gc.isenabled(),
            "frozen": gc.get_freeze_count(),
        }
    )
)
