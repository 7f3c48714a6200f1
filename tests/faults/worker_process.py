"""Ending a function in the middle of its work: which process has this connection, and away with it.

The emulator runs each function in processes of its own, started with a script named below. Nothing else is ever ended.
"""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

from local_stack.machine import LOOPBACK

_WORKER_SCRIPT = re.compile(r"/ministack-lambda-[^ /]+/_worker\.")

# The state ESTABLISHED in /proc/net/tcp, see proc_pid_net(5).
_ESTABLISHED = "01"


def kill_function_at(port: int) -> bool:
    """End the function whose connection has this local port, as a crash would; return whether there was one."""
    process_id = function_at(port)
    if process_id is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)
        return True
    return False


def function_at(port: int) -> int | None:
    """Return the process id of the function whose connection has this local port, or None."""
    found = _by_proc(port) if Path("/proc/net/tcp").exists() else _by_lsof(port)
    return next((process_id for process_id in found if _WORKER_SCRIPT.search(_command(process_id))), None)


def _by_proc(port: int) -> list[int]:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {
        f"socket:[{fields[9]}]"
        for fields in lines
        if fields[3] == _ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port
    }
    return [process_id for process_id in _processes() if inodes & _open_files(process_id)]


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _open_files(process_id: int) -> set[str]:
    names = set()
    with contextlib.suppress(OSError):  # gone, or another user's
        for descriptor in os.scandir(f"/proc/{process_id}/fd"):
            with contextlib.suppress(OSError):
                names.add(os.readlink(descriptor.path))
    return names


def _by_lsof(port: int) -> list[int]:
    """Do the same where there is no /proc, as on macOS, which brings lsof and ps."""
    command = ["lsof", "-nP", "-a", f"-iTCP@{LOOPBACK}:{port}", "-sTCP:ESTABLISHED", "-Fp"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(line[1:]) for line in listed.splitlines() if line.startswith("p")]


def _command(process_id: int) -> str:
    if Path("/proc/net/tcp").exists():
        with contextlib.suppress(OSError):  # gone
            return Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    command = ["ps", "-o", "command=", "-ww", "-p", str(process_id)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
