"""What the local stack tells the person in front of it."""

import contextlib
import shutil
import textwrap
import time
from email.message import EmailMessage
from typing import Protocol, TextIO

# How often a long step says how far it is: on a terminal, and where lines cannot be overwritten, as in a log of CI.
_TERMINAL_SECONDS = 0.1
_LOG_SECONDS = 10


class Report(Protocol):
    """Takes the news of a local stack."""

    def step(self, text: str) -> None:
        """Say what begins now."""

    def progress(self, text: str) -> None:
        """Say how far the step is; called about once a second."""

    def line(self, text: str) -> None:
        """Say something that stays to be read."""

    def email(self, email: EmailMessage) -> None:
        """Show an e-mail that has arrived."""


class Silence:
    """A Report to nobody."""

    def step(self, text: str) -> None:
        """Say nothing."""

    progress = step
    line = step

    def email(self, email: EmailMessage) -> None:
        """Say nothing."""


class Terminal:
    """A Report to a terminal, or to a file or pipe in its place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._overwrites = stream.isatty()
        self._progress_seconds = _TERMINAL_SECONDS if self._overwrites else _LOG_SECONDS
        self._progress_shown = False
        self._next_progress = 0.0

    def step(self, text: str) -> None:
        """Say what begins now."""
        self._next_progress = time.monotonic() + self._progress_seconds
        self.line(text)

    def progress(self, text: str) -> None:
        """Say how far the step is: on a line that the next one overwrites, elsewhere every ten seconds."""
        if time.monotonic() < self._next_progress:
            return
        self._next_progress = time.monotonic() + self._progress_seconds
        if self._overwrites:
            columns = shutil.get_terminal_size().columns
            self._write(f"\r\x1b[2K  {text}"[: columns + len("\r\x1b[2K") - 1])
            self._progress_shown = True
        else:
            self.line(f"  {text}")

    def line(self, text: str) -> None:
        """Say something that stays to be read."""
        overwrite = "\r\x1b[2K" if self._progress_shown else ""
        self._progress_shown = False
        self._write(f"{overwrite}{text}\n")

    def email(self, email: EmailMessage) -> None:
        """Show an e-mail that has arrived, indented."""
        headers = "\n".join(f"{name}: {email[name]}" for name in ("From", "To", "Subject"))
        text = f"{headers}\n\n{email.get_content().strip()}"
        self.line("\n" + textwrap.indent(text, "  | ", lambda line: True))

    def _write(self, text: str) -> None:
        # The terminal may be closed, or the reader of the pipe gone: no reason to leave anything running.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
