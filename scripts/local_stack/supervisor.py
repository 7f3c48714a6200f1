"""Run a command until standard input ends.

    python supervisor.py GRACE_SECONDS COMMAND [ARGUMENT …]

Standard input ends when the parent process closes it or dies, even by kill -9. Then the command gets SIGTERM and
GRACE_SECONDS to finish, and is killed with its child processes. So no process outlives the local stack, and the
emulator can always save its orders. Uses the standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time


def main(arguments: list[str]) -> int:
    """Run the command line; return the command's exit status, as a shell does."""
    grace_seconds, command = float(arguments[0]), arguments[1:]
    try:
        # With its own process group, processes that the command leaves behind can be killed too.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_stop_at_end_of_input, args=(process, grace_seconds), daemon=True).start()
    status = process.wait()
    _kill_group(process.pid)
    return status if status >= 0 else 128 - status


def _stop_at_end_of_input(process: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    process.terminate()
    time.sleep(grace_seconds)
    _kill_group(process.pid)


def _kill_group(group: int) -> None:
    # macOS returns EPERM if only a zombie process is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    # Survive signals, because the command would outlive a dead supervisor. Do not use SIG_IGN: the command inherits it.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    sys.exit(main(sys.argv[1:]))
