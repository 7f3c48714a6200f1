"""Log lines that arrive after an invocation's response are returned with that invocation."""

import queue
import threading
import time
from types import SimpleNamespace

from aws_emulator.function_logs import _lines_of_invocation


def test_late_lines_are_returned_with_their_invocation() -> None:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        time.sleep(0.4)  # longer than ministack waits
        for line in ("order_stored", "no newline\x1e", "of the next invocation"):
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    worker = SimpleNamespace(_stderr_queue=lines, _stderr_thread=reader)
    assert _lines_of_invocation(worker) == "order_stored\nno newline"
    reader.join()  # the worker has ended
    assert _lines_of_invocation(worker) == "of the next invocation"
