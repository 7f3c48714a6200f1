"""Return all log lines of an invocation with its response, where ministack 1.5.33 waits at most 250 ms for them.

On a busy machine late lines appeared in the log of the function's next invocation. Here the worker marks the end of
the lines, and the emulator reads up to the mark.
"""

import queue
from typing import Any

from ministack.core import lambda_runtime

_END_OF_LINES = "\x1e"
_RESPONSE_SENT = "        _real_stdout.flush()\n\nrun()\n"


def patch() -> None:
    """Mark the end of an invocation's log lines."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    assert script.endswith(_RESPONSE_SENT)
    mark = f"        sys.stderr.write({_END_OF_LINES!r} + '\\n')\n        sys.stderr.flush()\n"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.removesuffix(_RESPONSE_SENT) + mark + _RESPONSE_SENT
    lambda_runtime.Worker._drain_stderr_bounded = _lines_of_invocation


def _lines_of_invocation(worker: Any, **_: float) -> str:
    lines: list[str] = []
    # The thread that reads the lines ends with the worker.
    while worker._stderr_thread.is_alive() or not worker._stderr_queue.empty():
        try:
            line = worker._stderr_queue.get(timeout=0.1)
        except queue.Empty:
            continue
        if line.endswith(_END_OF_LINES):  # after output without a newline
            lines += filter(None, [line.removesuffix(_END_OF_LINES)])
            break
        lines.append(line)
    return "\n".join(lines)
