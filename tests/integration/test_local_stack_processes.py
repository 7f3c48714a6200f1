"""That nothing outlives the local stack, and that everything gets its chance to put things in order."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_stack import LocalStackError
from local_stack.processes import Process
from local_stack.run_lock import RunLock
from support.repository.files import REPOSITORY
from support.waiting import wait_for

SCRIPTS = REPOSITORY / "scripts"

# Holds a lock for as long as it lives, and writes what it hears when it is asked to stop.
POLITE = """
import fcntl, pathlib, signal, sys
directory = pathlib.Path(sys.argv[1])
held = open(directory / "held", "w")
fcntl.flock(held, fcntl.LOCK_EX)
def stop(*_):
    (directory / "asked").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
(directory / "ready").touch()
print("ready", flush=True)
signal.pause()
"""

# The same, but it does not listen.
STUBBORN = POLITE.replace("sys.exit(0)", "pass").replace("signal.pause()", "while True: signal.pause()")

# Starts the polite one and leaves it behind.
FORGETFUL = f"""
import subprocess, sys, time, pathlib
subprocess.Popen([sys.executable, "-c", {POLITE!r}, sys.argv[1]])
while not (pathlib.Path(sys.argv[1]) / "ready").exists():
    time.sleep(0.01)
"""


def started(program: str, directory: Path, grace_seconds: float = 30) -> Process:
    process = Process(
        "The program",
        [sys.executable, "-c", program, str(directory)],
        environment=os.environ,
        log=directory / "program.log",
        grace_seconds=grace_seconds,
    )
    wait_for("the program", (directory / "ready").exists)
    return process


def is_alive(directory: Path) -> bool:
    """Return whether a process still holds the lock that the programs above take."""
    with (directory / "held").open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_stopped_program_was_asked_first_and_is_gone(tmp_path: Path) -> None:
    process = started(POLITE, tmp_path)
    assert is_alive(tmp_path)
    process.stop()
    assert (tmp_path / "asked").exists()
    assert not is_alive(tmp_path)
    assert process.exit_status == 0


def test_a_program_that_does_not_listen_is_ended_after_its_grace(tmp_path: Path) -> None:
    process = started(STUBBORN, tmp_path, grace_seconds=0.5)
    process.stop()
    assert (tmp_path / "asked").exists()
    assert not is_alive(tmp_path)


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    with started(FORGETFUL, tmp_path):
        wait_for("its end", lambda: not is_alive(tmp_path))


def test_a_program_is_asked_to_stop_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    holder_program = f"""
import os, pathlib, sys, time
from local_stack.processes import Process
Process("The program", [sys.executable, "-c", {POLITE!r}, sys.argv[1]], environment=os.environ,
        log=pathlib.Path(sys.argv[1]) / "program.log", grace_seconds=30)
time.sleep(300)
"""
    environment = {**os.environ, "PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent / 'lambda'}"}
    with subprocess.Popen([sys.executable, "-c", holder_program, str(tmp_path)], env=environment) as holder:
        wait_for("the program", (tmp_path / "ready").exists)
        holder.kill()
    wait_for("its end", lambda: not is_alive(tmp_path))
    assert (tmp_path / "asked").exists()


def test_a_directory_stays_locked_until_the_last_process_of_its_run_has_gone(tmp_path: Path) -> None:
    with RunLock(tmp_path) as lock:
        process = Process(
            "The program",
            [sys.executable, "-c", POLITE, str(tmp_path)],
            environment=os.environ,
            log=tmp_path / "program.log",
            grace_seconds=30,
            inherited=[lock.file_descriptor],
        )
    with pytest.raises(LocalStackError, match="is still stopping"):
        RunLock(tmp_path).__enter__()
    process.stop()
    with RunLock(tmp_path):
        pass


def test_output_is_read_line_by_line_to_the_last_word(tmp_path: Path) -> None:
    with Process(
        "The program",
        ["sh", "-c", "echo first; echo second >&2; printf third"],
        environment=os.environ,
        log=tmp_path / "program.log",
        grace_seconds=1,
    ) as process:
        assert [line for line in process.lines(0.01) if line is not None] == ["first", "second", "third"]
        assert process.exit_status == 0


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["sh", "-c", "echo no luck; exit 3"], 3, "no luck"),
        (["sh", "-c", "kill -9 $$"], 137, "It wrote nothing"),
        (["no-such-program"], 127, "no-such-program cannot be started: No such file"),
    ],
)
def test_a_program_that_ends_by_itself_is_told_with_its_last_words(
    tmp_path: Path, command: list[str], status: int, words: str
) -> None:
    with Process(
        "The program", command, environment=os.environ, log=tmp_path / "program.log", grace_seconds=1
    ) as process:
        wait_for("its end", lambda: process.exit_status is not None)
        with pytest.raises(
            LocalStackError, match=rf"(?s)^The program ended by itself with status {status}\. .*{words}"
        ):
            process.require_running()


def test_waiting_for_a_server_ends_when_the_server_does(tmp_path: Path) -> None:
    with Process(
        "The server",
        ["sh", "-c", "echo the port is taken; exit 1"],
        environment=os.environ,
        log=tmp_path / "server.log",
        grace_seconds=1,
    ) as process:
        began = time.monotonic()
        with pytest.raises(LocalStackError, match=r"(?s)^The server did not start\. .*the port is taken"):
            process.wait_until_it_answers("http://127.0.0.1:9/")
        assert time.monotonic() - began < 30
