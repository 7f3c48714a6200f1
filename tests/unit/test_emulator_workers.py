"""The emulator starts few workers at once, and a waiting request gets the first one that is free."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from aws_emulator import workers
from aws_emulator.workers import STARTS_AT_ONCE, patch_workers

CONFIG = {"FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:submission", "Runtime": "python3.13"}
SECONDS = 10


class RunningProcess:
    def poll(self) -> None:
        return None


class Starts:
    """Replaces the start of a worker: it is under way until the test ends it."""

    def __init__(self) -> None:
        self.under_way: list[Future[None]] = []
        self.begun = threading.Semaphore(0)

    def __call__(self, worker: Any) -> None:
        end = Future[None]()
        self.under_way.append(end)
        self.begun.release()
        end.result(SECONDS)
        worker._proc = RunningProcess()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=SECONDS)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    starts = Starts()
    monkeypatch.setattr(lambda_runtime, "_lock", lambda_runtime._lock)
    monkeypatch.setattr(lambda_runtime, "_workers", {})
    monkeypatch.setattr(lambda_runtime.Worker, "_spawn", starts)
    monkeypatch.setattr(lambda_runtime.ProvidedWorker, "_spawn", lambda_runtime.ProvidedWorker._spawn)
    for name in ("acquire_worker", "release_worker"):
        monkeypatch.setattr(lambda_svc, name, getattr(lambda_svc, name))
    monkeypatch.setattr(workers, "_starting", set())
    monkeypatch.setattr(workers, "_turns", type(workers._turns)(workers._turns.default_factory))
    patch_workers()
    return starts


@pytest.fixture
def request_worker(starts: Starts) -> Iterator[Callable[[], Future[Any]]]:
    """Return a function that requests a worker in a thread, and starts it if necessary."""

    def work(worker: Future[Any]) -> None:
        acquired, _ = lambda_svc.acquire_worker("submission", CONFIG, b"")
        try:
            lambda_runtime.ensure_spawned(acquired)
        except OSError as error:  # as ministack does
            lambda_svc.invalidate_worker("submission")
            lambda_svc.release_worker(None)
            worker.set_exception(error)
        else:
            worker.set_result(acquired)

    def request() -> Future[Any]:
        worker = Future[Any]()
        # A daemon, so that a thread that never ends does not block the end of the tests.
        threading.Thread(target=work, args=(worker,), daemon=True).start()
        return worker

    yield request
    for end in starts.under_way:
        if not end.done():
            end.set_result(None)


def nothing_more_starts(starts: Starts) -> bool:
    return not starts.begun.acquire(timeout=0.2)


def test_workers_start_a_few_at_a_time(starts: Starts, request_worker: Callable[[], Future[Any]]) -> None:
    requests = [request_worker() for _ in range(STARTS_AT_ONCE + 2)]

    starts.wait_for(STARTS_AT_ONCE)
    assert nothing_more_starts(starts)
    starts.under_way[0].set_result(None)
    starts.wait_for(1)
    assert nothing_more_starts(starts)
    starts.under_way[1].set_result(None)
    starts.wait_for(1)
    for end in starts.under_way[2:]:
        end.set_result(None)

    assert len({request.result(SECONDS) for request in requests}) == len(requests)


def test_waiting_request_gets_the_first_free_worker(starts: Starts, request_worker: Callable[[], Future[Any]]) -> None:
    first = request_worker()
    starts.wait_for(1)
    starts.under_way[0].set_result(None)
    running = first.result(SECONDS)
    others = [request_worker() for _ in range(STARTS_AT_ONCE)]
    starts.wait_for(STARTS_AT_ONCE)
    waiting = request_worker()
    assert nothing_more_starts(starts)

    lambda_svc.release_worker(running)

    assert waiting.result(SECONDS) is running
    assert not any(request.done() for request in others)


def test_failed_start_lets_the_next_begin(starts: Starts, request_worker: Callable[[], Future[Any]]) -> None:
    requests = [request_worker() for _ in range(STARTS_AT_ONCE + 1)]
    starts.wait_for(STARTS_AT_ONCE)

    starts.under_way[0].set_exception(OSError("no room for a process"))

    starts.wait_for(1)
    for end in starts.under_way[1:]:
        end.set_result(None)
    failed = [request for request in requests if request.exception(SECONDS)]
    assert len(failed) == 1
