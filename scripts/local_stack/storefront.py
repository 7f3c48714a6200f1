"""The storefront, served from the checkout."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.environment import without_personal_choices
from local_stack.machine import LOOPBACK
from local_stack.processes import Process
from local_stack.run_lock import RunLock
from local_stack.settings import REPOSITORY

_STOP_SECONDS = 5


@contextmanager
def running_storefront(port: int, api_url: str, log: Path, lock: RunLock) -> Iterator[Process]:
    """Serve the storefront on loopback for the API at `api_url`; yield it when it answers."""
    process = Process(
        "The storefront",
        [sys.executable, REPOSITORY / "frontend" / "server.py", "--port", str(port), "--api-url", api_url],
        environment=without_personal_choices(),
        log=log,
        grace_seconds=_STOP_SECONDS,
        inherited=[lock.file_descriptor],
    )
    with process:
        process.wait_until_it_answers(f"http://{LOOPBACK}:{port}/")
        yield process
