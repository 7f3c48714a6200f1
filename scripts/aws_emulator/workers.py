"""Limit concurrent worker starts, where ministack 1.5.33 starts a worker for every request that finds none free.

The start of a worker, which is a process, holds the interpreter's lock. Fifty concurrent starts block the thread that
serves requests for seconds, longer than a function waits for SQS. Here a request without a free worker gets the next
free one, or a new one if fewer than `STARTS_AT_ONCE` are starting. The number of workers is not limited.
"""

import functools
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

STARTS_AT_ONCE = 2

_acquire_worker = lambda_runtime.acquire_worker
_release_worker = lambda_runtime.release_worker
_starting: set[Any] = set()
_turns: defaultdict[str, threading.Condition] = defaultdict(lambda: threading.Condition(lambda_runtime._lock))
"""The condition that waiting requests of a function use, by ministack's key of the function's workers."""


def patch() -> None:
    """Make requests wait for a worker while other workers start."""
    # Reentrant, because the ministack functions called below take the lock again.
    lambda_runtime._lock = threading.RLock()
    for kind in (lambda_runtime.Worker, lambda_runtime.ProvidedWorker):
        kind._spawn = _ending_the_start(kind._spawn)
    lambda_svc.acquire_worker = acquire
    lambda_svc.release_worker = release


def acquire(func_name: str, config: dict[str, Any], code_zip: bytes, qualifier: str = "$LATEST") -> tuple[Any, str]:
    """Wait for a worker for one request of a function; return it and its origin."""
    key = lambda_runtime._worker_key(func_name, config, qualifier)
    with lambda_runtime._lock:
        _turns[key].wait_for(lambda: _has_free_worker(key) or len(_starting) < STARTS_AT_ONCE)
        worker, origin = _acquire_worker(func_name, config, code_zip, qualifier=qualifier)
        if not _is_running(worker):
            _starting.add(worker)
    return worker, origin


def release(worker: Any) -> None:
    """Release a worker to a waiting request; None is a worker that failed."""
    with lambda_runtime._lock:
        _release_worker(worker)
        _end_start(worker)
        for key, workers in lambda_runtime._workers.items():
            if worker in workers:
                _turns[key].notify()


def _has_free_worker(key: str) -> bool:
    return any(not worker.in_use and _is_running(worker) for worker in lambda_runtime._workers.get(key, ()))


def _is_running(worker: Any) -> bool:
    # Read once, because ministack removes the process without holding the lock.
    process = worker._proc
    return process is not None and process.poll() is None


def _ending_the_start(spawn: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(spawn)
    def spawn_and_notify(worker: Any, *arguments: Any, **more: Any) -> None:
        try:
            spawn(worker, *arguments, **more)
        finally:
            with lambda_runtime._lock:
                _end_start(worker)

    return spawn_and_notify


def _end_start(worker: Any) -> None:
    if worker in _starting:
        _starting.remove(worker)
        for turn in _turns.values():
            turn.notify()
