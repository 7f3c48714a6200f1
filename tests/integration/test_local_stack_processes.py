"""Processes of the local stack: stopped with SIGTERM, killed after the grace period, never orphaned.

test_local_stack.py kills the program itself; the emulator then saves the orders.
"""

import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local_stack import LocalStackError
from local_stack.machine import RunLock
from local_stack.processes import Process
from support.waiting import wait_for

# Holds a lock while it runs, and creates a file on SIGTERM.
GRACEFUL = """
import fcntl, pathlib, signal, sys
directory = pathlib.Path(sys.argv[1])
held = open(directory / "held", "w")
fcntl.flock(held, fcntl.LOCK_EX)
def stop(*_):
    (directory / "sigterm").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
(directory / "ready").touch()
print("ready", flush=True)
signal.pause()
"""

# Ignores SIGTERM.
UNRESPONSIVE = GRACEFUL.replace("sys.exit(0)", "pass").replace("signal.pause()", "while True: signal.pause()")

# Starts GRACEFUL and exits.
ORPHANING = f"""
import subprocess, sys, time, pathlib
subprocess.Popen([sys.executable, "-c", {GRACEFUL!r}, sys.argv[1]])
while not (pathlib.Path(sys.argv[1]) / "ready").exists():
    time.sleep(0.01)
"""


def new_process(command: Sequence[str], directory: Path, grace_seconds: float = 30, **more: Any) -> Process:
    settings: dict[str, Any] = {"environment": os.environ, "log": directory / "program.log", **more}
    return Process("The program", command, grace_seconds=grace_seconds, **settings)


def started(program: str, directory: Path, grace_seconds: float = 30, **more: Any) -> Process:
    process = new_process([sys.executable, "-c", program, str(directory)], directory, grace_seconds, **more)
    wait_for("the program", (directory / "ready").exists)
    return process


def is_alive(directory: Path) -> bool:
    """Return whether a process still holds the lock of the programs above."""
    with (directory / "held").open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize(
    ("program", "grace_seconds", "status"),
    [(GRACEFUL, 30, 0), (UNRESPONSIVE, 0.5, 137)],
    ids=["graceful", "unresponsive"],
)
def test_program_gets_sigterm_and_is_killed_after_the_grace_period(
    tmp_path: Path, program: str, grace_seconds: float, status: int
) -> None:
    process = started(program, tmp_path, grace_seconds)
    assert is_alive(tmp_path)
    process.stop()
    assert (tmp_path / "sigterm").exists()
    assert not is_alive(tmp_path)
    assert process.exit_status == status


def test_children_are_killed_when_their_program_ends(tmp_path: Path) -> None:
    with started(ORPHANING, tmp_path):
        wait_for("its end", lambda: not is_alive(tmp_path))


def test_directory_stays_locked_until_the_last_process_ends(tmp_path: Path) -> None:
    with RunLock(tmp_path) as lock:
        process = started(GRACEFUL, tmp_path, lock=lock)
    with pytest.raises(
        LocalStackError, match=rf"runs in {tmp_path} already, or is still stopping \(process {os.getpid()}\)"
    ):
        RunLock(tmp_path).__enter__()
    process.stop()
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        (["sh", "-c", "echo no luck; exit 3"], 3, "no luck"),
        (["sh", "-c", "kill -9 $$"], 137, "It wrote nothing"),
        (["no-such-program"], 127, "no-such-program cannot be started: No such file"),
    ],
)
def test_ended_program_is_reported_with_its_output(
    tmp_path: Path, command: list[str], status: int, output: str
) -> None:
    with new_process(command, tmp_path) as process:
        with pytest.raises(LocalStackError, match=rf"(?s)^The program did not start\. .*{output}"):
            process.wait_until_it_responds("http://127.0.0.1:9/")
        with pytest.raises(
            LocalStackError, match=rf"(?s)^The program ended unexpectedly with status {status}\. .*{output}"
        ):
            process.require_running()
