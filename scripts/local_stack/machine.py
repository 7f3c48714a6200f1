"""Check what the local stack needs of the machine: free ports and free space."""

import contextlib
import shutil
import socket
from pathlib import Path

from local_stack.errors import LocalStackError

LOOPBACK = "127.0.0.1"


def require_free(port: int, purpose: str, variable: str) -> None:
    """Raise LocalStackError unless `port` is free for `purpose`; `variable` is what chooses another."""
    if not _answers(port) and _can_be_bound(port, purpose, variable):
        return
    raise LocalStackError(
        f"Port {port}, meant for {purpose}, is taken by another program: "
        f"stop that one, or choose another port with {variable}=…"
    )


def free_port() -> int:
    """Return a port of loopback that the system handed out a moment ago and that is free again."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    # A server on ::1 alone counts too: a browser that is told "localhost" asks it first.
    for address in (LOOPBACK, "::1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return True
    return False


def _can_be_bound(port: int, purpose: str, variable: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do; without it a port is refused for a minute after its last connection.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise LocalStackError(
                f"Port {port}, meant for {purpose}, is reserved for the administrator on this machine: "
                f"choose one from 1024 on with {variable}=…"
            ) from error
        except OSError:
            return False
    return True


def require_space(directory: Path, megabytes: int) -> None:
    """Raise LocalStackError unless so much is free in the file system of `directory`."""
    free = shutil.disk_usage(directory).free // 2**20
    if free < megabytes:
        raise LocalStackError(
            f"Only {free} MB are free under {directory}, and {megabytes} MB are needed to keep orders: "
            "free some space, and start again."
        )
