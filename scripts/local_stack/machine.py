"""The machine's resources: free ports, free space, private files, and a lock on the directory."""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"


class LocalStackError(Exception):
    """The local stack cannot start or continue; the text says what is wrong and what to do."""


def require_free(port: int, purpose: str, variable: str) -> None:
    """Raise LocalStackError unless `port` is free. `purpose` and `variable` are for the message."""
    is_free = not _is_served(port)
    with socket.socket() as probe:
        # Servers set this too. Without it, a port is unavailable for a minute after its last connection.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            reason = "is reserved for the administrator on this machine: choose one from 1024 on with"
            raise LocalStackError(f"Port {port}, meant for {purpose}, {reason} {variable}=…") from error
        except OSError:
            is_free = False
    if not is_free:
        reason = "is in use by another program: stop that one, or choose another port with"
        raise LocalStackError(f"Port {port}, meant for {purpose}, {reason} {variable}=…")


def _is_served(port: int) -> bool:
    # A server on ::1 alone counts too, because browsers try it first for "localhost".
    for address in (LOOPBACK, "::1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return True
    return False


def free_port() -> int:
    """Return a free port of loopback, outside the range that the system uses for outgoing connections."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def require_space(directory: Path, megabytes: int) -> None:
    """Raise LocalStackError unless the file system of `directory` has this much free space."""
    free = shutil.disk_usage(directory).free // 2**20
    if free < megabytes:
        raise LocalStackError(
            f"Only {free} MB are free under {directory}, and {megabytes} MB are needed to keep orders: "
            "free some space, and start again."
        )


def make_private(directory: Path) -> None:
    """Create `directory` if it is missing, and restrict it to its owner."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader sees the whole file or none."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(unfinished, path)


class RunLock:
    """A lock on a directory, held from the start of a run until the last of its processes has ended.

    Every process inherits the lock's file descriptor, and the system releases the lock when the last process closes it.
    So a killed run still holds its directory until the emulator has saved its orders there.
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
            os.close(self.file_descriptor)
            raise LocalStackError(
                f"A local stack runs in {self._path.parent} already, or is still stopping "
                f"(process {holder or 'unknown'}): use that one, or stop it with Ctrl-C and try again."
            ) from error
        os.truncate(self.file_descriptor, 0)
        os.pwrite(self.file_descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.file_descriptor)
