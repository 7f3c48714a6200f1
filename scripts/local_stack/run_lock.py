"""One local stack at a time in one directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from local_stack.errors import LocalStackError


class RunLock:
    """Held from the start of a run until the last of its processes has gone.

    Every process inherits the lock's file, and the system frees the lock when the last of them closes it. So
    a run that was killed still holds its directory until the emulator has written its orders there.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self.file_descriptor = -1

    def __enter__(self) -> Self:
        self.file_descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self.file_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self.file_descriptor, 20).decode("ascii", "replace").strip()
            self._close()
            raise LocalStackError(
                f"A local stack runs in {self._path.parent} already, or is still stopping "
                f"(process {holder or 'unknown'}): use that one, or stop it with Ctrl-C and try again."
            ) from error
        os.truncate(self.file_descriptor, 0)
        os.pwrite(self.file_descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def in_place(self) -> bool:
        """Whether the lock's file is still where it was made: its directory has not been deleted meanwhile."""
        held = os.fstat(self.file_descriptor)
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)

    def _close(self) -> None:
        os.close(self.file_descriptor)
        self.file_descriptor = -1
