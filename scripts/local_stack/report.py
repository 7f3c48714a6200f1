"""Print the progress of the local stack."""

import contextlib
import shutil
import textwrap
import time
from email.message import EmailMessage
from typing import TextIO

# Interval of progress messages: on a terminal, and in a log, where lines cannot be overwritten.
_TERMINAL_SECONDS = 0.1
_LOG_SECONDS = 10

_CLEAR_LINE = "\x1b[2K"


class Report:
    """Prints to a terminal, a file or a pipe; prints nothing without a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._is_terminal = stream is not None and stream.isatty()
        self._progress_seconds = _TERMINAL_SECONDS if self._is_terminal else _LOG_SECONDS
        self._step_started = self._next_progress = 0.0

    def step(self, text: str) -> None:
        """Print the start of a step."""
        self._step_started = time.monotonic()
        self._next_progress = self._step_started + self._progress_seconds
        self.line(text)

    def progress(self, text: str) -> None:
        """Print the step's progress at intervals; on a terminal, the next line overwrites it."""
        now = time.monotonic()
        if now < self._next_progress:
            return
        self._next_progress = now + self._progress_seconds
        text = f"  {now - self._step_started:.0f} s: {text}"
        if self._is_terminal:
            self._write(f"{_CLEAR_LINE}{text[: shutil.get_terminal_size().columns - 1]}\r")
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Print a line that is not overwritten."""
        self._write(f"{_CLEAR_LINE if self._is_terminal else ''}{text}\n")

    def email(self, email: EmailMessage) -> None:
        """Print an e-mail, indented."""
        headers = "\n".join(f"{name}: {email[name]}" for name in ("From", "To", "Subject"))
        text = f"{headers}\n\n{email.get_content().strip()}"
        self.line("\n" + textwrap.indent(text, "  | ", lambda line: True))

    def _write(self, text: str) -> None:
        # A closed terminal or pipe must not prevent the stack from stopping.
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
