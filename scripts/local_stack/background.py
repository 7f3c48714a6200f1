"""Work that is repeated beside the main program until it is stopped."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Background:
    """Calls `step` every `seconds` in a thread of its own; leaving the `with` stops it.

    An exception of `step` ends the work and is kept in `failure`, for the main program to see.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._step()
                self._stopped.wait(self._seconds)
        except Exception as error:  # whatever it is, the main program must hear of it
            self.failure = error
