"""Print the progress of the local stack."""

import contextlib
import textwrap
import time
from email.message import EmailMessage
from typing import TextIO

_PROGRESS_SECONDS = 5


class Report:
    """Prints to a terminal, a file or a pipe; prints nothing without a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._step_started = self._next_progress = 0.0

    def step(self, text: str) -> None:
        """Print the start of a step."""
        self._step_started = time.monotonic()
        self._next_progress = self._step_started + _PROGRESS_SECONDS
        self.line(text)

    def progress(self, text: str) -> None:
        """Print the step's progress at intervals."""
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + _PROGRESS_SECONDS
            self.line(f"  {now - self._step_started:.0f} s: {text}")

    def line(self, text: str) -> None:
        # A closed terminal or pipe must not prevent the stack from stopping.
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                print(text, file=self._stream, flush=True)

    def email(self, email: EmailMessage) -> None:
        """Print an e-mail, indented."""
        headers = "\n".join(f"{name}: {email[name]}" for name in ("From", "To", "Subject"))
        text = f"{headers}\n\n{email.get_content().strip()}"
        self.line("\n" + textwrap.indent(text, "  | ", lambda line: True))
