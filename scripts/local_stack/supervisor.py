"""Run a command for as long as somebody holds the other end of standard input.

    python supervisor.py GRACE_SECONDS COMMAND [ARGUMENT …]

When standard input ends, because its holder stopped the command or is itself gone, even by kill -9, the
command is asked to stop (SIGTERM), given GRACE_SECONDS to put things in order, and ended with all that it
started. So nothing outlives the local stack, and the emulator always gets to write down its orders. Uses the
standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time


def main(arguments: list[str]) -> int:
    """Run the command line; return the command's exit status, as a shell says it."""
    grace_seconds, command = float(arguments[0]), arguments[1:]
    try:
        # A process group of its own, so that what the command leaves behind can be ended with it.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_stop_when_let_go, args=(process, grace_seconds), daemon=True).start()
    status = process.wait()
    _end_group(process.pid)
    return status if status >= 0 else 128 - status


def _stop_when_let_go(process: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    process.terminate()
    time.sleep(grace_seconds)
    # Only reached while the command is still there: this thread ends with the program.
    _end_group(process.pid)


def _end_group(group: int) -> None:
    # macOS answers EPERM where only a dead, not yet collected process is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    # Only the end of standard input counts: a supervisor that died of a signal would leave its command behind.
    # Handlers and not SIG_IGN, which the command would inherit.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    sys.exit(main(sys.argv[1:]))
