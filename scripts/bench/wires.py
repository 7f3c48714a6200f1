"""What goes over the wire: calls to AWS, and the package itself."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.interpreters import SERVICES, run

ZIP_AT_MOST_MB = 0.8

# Of one event, at most. A call more is another round trip that a customer or a queue waits for, and money.
CALLS_AT_MOST = {
    "submission": {"one order": 1, "a request without an order": 0},
    "processing": {"ten new orders": 1, "ten orders that are stored": 2},
    "status": {"an order id": 1, "a typo": 0},
    "notification": {"ten stored orders": 1},
}


def round_trips(folder: Path) -> Iterator[Figure]:
    """Yield how many calls to AWS each function makes for one event."""
    for function in SERVICES:
        for event, operations in run("wire", folder, function)["operations"].items():
            yield Figure(
                f"calls to AWS, {function}, {event}",
                len(operations),
                "",
                value_at_most=CALLS_AT_MOST[function][event],
            )


def package(zip_path: Path) -> Iterator[Figure]:
    """Yield the size of the Lambda zip and the number of its files."""
    yield Figure("size of the zip", zip_path.stat().st_size / 1e6, "MB", value_at_most=ZIP_AT_MOST_MB)
    with zipfile.ZipFile(zip_path) as archive:
        yield Figure("files in the zip", len(archive.namelist()), "")
