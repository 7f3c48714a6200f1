"""What the price of an order is computed from is what the real handlers write and send."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

from planning.workload import MEASURED
from repository.files import REPOSITORY


def test_the_bytes_of_an_order_are_as_the_handlers_write_them() -> None:
    # A process of its own: the handlers' log keeps the stream of their first import.
    result = subprocess.run(
        [sys.executable, "-m", "planning", "measure", "--json"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(result.stdout)
    assert measured["bytes"] == asdict(MEASURED)
    assert set(measured["processor_milliseconds"]) == {"submission", "status", "processing", "notification"}
    assert all(value > 0 for value in measured["processor_milliseconds"].values())
