"""The programs and threads that a local stack starts and stops."""

import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from local_stack.machine import LocalStackError, RunLock

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Servers respond after about a second; the rest allows for a busy machine.
_START_SECONDS = 60


class Process:
    """A running program with its output in `log`; the end of the `with` block stops it and its child processes.

    It runs in its own session, so Ctrl-C reaches only the local stack, which stops everything in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        log: Path,
        grace_seconds: float,
        directory: Path | None = None,
        lock: RunLock | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", SUPERVISOR, str(grace_seconds), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
                pass_fds=() if lock is None else (lock.file_descriptor,),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def exit_status(self) -> int | None:
        """The exit status; None while the program runs, more than 128 for a signal, as in a shell."""
        return self._supervisor.poll()

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_it_responds(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Return once an HTTP GET of `url` succeeds; raise LocalStackError if that takes too long."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # ignores a proxy of the environment
        opener.addheaders += (headers or {}).items()
        deadline = time.monotonic() + _START_SECONDS
        while self.exit_status is None and time.monotonic() < deadline:
            try:
                opener.open(url, timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise LocalStackError(f"{self.name} did not start. {self.end_of_output()}")

    def require_running(self) -> None:
        """Raise LocalStackError if the program has ended."""
        if self.exit_status is not None:
            raise LocalStackError(
                f"{self.name} ended unexpectedly with status {self.exit_status}. {self.end_of_output()}"
            )

    def stop(self) -> None:
        """Stop the program and its child processes; return when they have ended."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()
        self._supervisor.wait()

    def end_of_output(self) -> str:
        """Return the last lines of the output and the path of the log, for an error message."""
        lines = [f"  {line}" for line in self.output.splitlines() if line.strip()][-5:]
        return "\n".join([f"The end of {self.log}:", *lines]) if lines else f"It wrote nothing to {self.log}."


class Background:
    """Calls `step` every `seconds` in a thread; the end of the `with` block stops it.

    An exception ends the thread and is kept in `failure`, which the main thread checks.
    """

    def __init__(self, name: str, step: Callable[[], None], seconds: float) -> None:
        self.name = name
        self.failure: Exception | None = None
        self._step = step
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def require_running(self) -> None:
        """Raise LocalStackError if a step has failed."""
        if self.failure is not None:
            raise LocalStackError(f"{self.name} failed: {self.failure!r}") from self.failure

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self._seconds):
                self._step()
        except Exception as error:  # the main thread reports it
            self.failure = error
