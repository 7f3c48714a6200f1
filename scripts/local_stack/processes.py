"""The programs that a local stack starts, each ended with everything that it started itself."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local_stack.errors import LocalStackError

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Servers here are up after a second; a busy machine gets longer.
_ANSWER_SECONDS = 60

# How many lines of a log an error message shows.
_LAST_WORDS = 5


class Process:
    """The running program `name`; leaving the `with` stops it. Its output is in `log`.

    It runs in a session of its own, so that Ctrl-C reaches the local stack alone, which stops all in order.
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
        inherited: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._grace_seconds = grace_seconds
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
                pass_fds=tuple(inherited),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def exit_status(self) -> int | None:
        """The program's exit status, None while it runs; 128 and more for a signal, as a shell says it."""
        return self._supervisor.poll()

    def wait_until_it_answers(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Return once an HTTP GET of `url` succeeds; raise LocalStackError if that takes too long."""
        # Past any proxy of the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.addheaders += (headers or {}).items()
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self.exit_status is None and time.monotonic() < deadline:
            try:
                opener.open(url, timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise LocalStackError(f"{self.name} did not start. {self.last_words()}")

    def require_running(self) -> None:
        """Raise LocalStackError if the program has ended."""
        if self.exit_status is not None:
            raise LocalStackError(f"{self.name} ended by itself with status {self.exit_status}. {self.last_words()}")

    def stop(self) -> None:
        """Ask the program to stop and return when it and all that it started are gone."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()
        try:
            # The supervisor ends the program after the grace; the rest is for a machine that is very busy.
            self._supervisor.wait(self._grace_seconds + 10)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()

    def lines(self, tick_seconds: float = 0.2) -> Iterator[str | None]:
        """Yield the program's output line by line until it ends, and None at every tick without a new one.

        Read from the log and not from a pipe: a program whose reader is gone would die of writing before it
        has put its things in order.
        """
        pending = ""
        with self.log.open(encoding="utf-8", errors="replace") as output:
            while True:
                ended = self.exit_status is not None
                while text := output.readline():
                    pending += text
                    if pending.endswith("\n"):
                        yield pending.rstrip("\n")
                        pending = ""
                if ended:
                    break
                yield None
                time.sleep(tick_seconds)
        if pending:
            yield pending

    def last_words(self) -> str:
        """Return the end of the output and where the rest is, for an error message."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = [f"  {line}" for line in text.splitlines() if line.strip()][-_LAST_WORDS:]
        return "\n".join([f"The end of {self.log}:", *lines]) if lines else f"It wrote nothing to {self.log}."
