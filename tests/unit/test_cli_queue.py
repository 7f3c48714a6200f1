"""A killed move loses no message; an interrupted move leaves none hidden."""

import signal
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from orders_cli.queue import Queue, RateLimit, move, peek
from support.stub_aws.sqs import Crash, FakeSqs, aws_error

NUMBER = 25
BODIES = [f"order {number}" for number in range(NUMBER)]


def silent(_: int) -> None: ...


def full_queue() -> FakeSqs:
    fake = FakeSqs("dlq", "orders")
    for body in BODIES:
        fake.put("dlq", body)
    return fake


@pytest.fixture
def sqs() -> FakeSqs:
    return full_queue()


def ids_of(sqs: FakeSqs) -> set[str]:
    return {message["id"] for message in sqs.queues["dlq"]}


def redrive(sqs: FakeSqs, ids: set[str] | None = None, rate_limit: RateLimit | None = None) -> int:
    """Move messages, all by default; return how many were moved."""
    chosen = ids_of(sqs) if ids is None else ids
    return sum(move(chosen, Queue(sqs, "dlq"), Queue(sqs, "orders").send, rate_limit or RateLimit()))


def test_move_moves_each_message_once(sqs: FakeSqs) -> None:
    ids = ids_of(sqs)
    assert redrive(sqs, ids) == NUMBER
    assert (sqs.bodies("dlq"), Counter(sqs.bodies("orders"))) == ([], dict.fromkeys(BODIES, 1))
    assert redrive(sqs, ids) == 0


def test_move_ignores_a_message_that_arrives_during_the_move(sqs: FakeSqs) -> None:
    def send_again(_: int) -> None:
        if sqs.calls[-1] == "DeleteMessageBatch":
            sqs.put("dlq", "new")

    ids, sqs.before_call = ids_of(sqs), send_again
    assert redrive(sqs, ids) == NUMBER
    assert set(sqs.visible_bodies("dlq")) == {"new"}


def test_move_counts_only_messages_that_were_sent_and_deleted(sqs: FakeSqs) -> None:
    sqs.rejected_bodies, sqs.undeletable_bodies = {BODIES[3]}, {BODIES[5]}
    assert redrive(sqs) == NUMBER - 2
    assert sqs.visible_bodies("dlq") == [BODIES[3], BODIES[5]]


def calls_of_a_complete_move() -> int:
    fake = full_queue()
    redrive(fake)
    return len(fake.calls)


@pytest.mark.parametrize("call", range(1, calls_of_a_complete_move() + 1))
def test_move_loses_nothing_when_killed_at_any_call(sqs: FakeSqs, call: int) -> None:
    def kill(number: int) -> None:
        # A killed process makes no clean-up calls.
        if number >= call:
            raise Crash

    sqs.before_call = kill
    with pytest.raises(Crash):
        redrive(sqs)
    assert set(sqs.bodies("dlq")) | set(sqs.bodies("orders")) == set(BODIES)
    assert len(sqs.bodies("dlq")) - len(sqs.visible_bodies("dlq")) <= 11

    sqs.before_call = silent
    sqs.now += 31
    redrive(sqs)
    assert sqs.bodies("dlq") == []
    assert set(sqs.bodies("orders")) == set(BODIES)
    assert len(sqs.bodies("orders")) <= NUMBER + 10


@pytest.mark.parametrize("call", range(1, calls_of_a_complete_move() + 1))
def test_move_hides_nothing_when_interrupted_at_any_call(sqs: FakeSqs, call: int) -> None:
    def interrupt(number: int) -> None:
        if number == call:
            raise KeyboardInterrupt

    sqs.before_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        redrive(sqs)
    if sqs.calls[call - 1] != "ChangeMessageVisibilityBatch":
        assert sqs.visible_bodies("dlq") == sqs.bodies("dlq")
    assert set(sqs.bodies("dlq")) | set(sqs.bodies("orders")) == set(BODIES)


def test_peek_receives_even_when_the_count_is_zero(sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = {"Attributes": Counter[str]()}
    monkeypatch.setattr(sqs, "get_queue_attributes", lambda **_: zeros)
    found, hidden = peek(Queue(sqs, "dlq"), lambda message: message["Body"])
    assert (sorted(found), hidden) == (sorted(BODIES), 0)
    assert sqs.visible_bodies("dlq") == BODIES


def test_peek_handles_a_message_that_sqs_delivers_twice(sqs: FakeSqs) -> None:
    def deliver_again(_: int) -> None:
        if sqs.calls[-1] == "ReceiveMessage" and len(sqs.calls) == 6:
            sqs.queues["dlq"][0]["visible"] = 0.0

    sqs.before_call = deliver_again
    found, _ = peek(Queue(sqs, "dlq"), lambda message: message["Body"])
    assert sorted(found) == sorted(BODIES)
    assert sqs.visible_bodies("dlq") == BODIES


def test_peek_hides_one_message_at_most_without_permission_to_release(sqs: FakeSqs) -> None:
    def deny(_: int) -> None:
        if sqs.calls[-1] == "ChangeMessageVisibilityBatch":
            raise aws_error("AccessDenied", "ChangeMessageVisibilityBatch")

    sqs.before_call = deny
    with pytest.raises(Exception, match="AccessDenied"):
        peek(Queue(sqs, "dlq"), lambda message: message)
    assert len(sqs.visible_bodies("dlq")) == NUMBER - 1
    sqs.now += 16
    assert len(sqs.visible_bodies("dlq")) == NUMBER


def test_send_splits_a_batch_over_the_size_limit(sqs: FakeSqs) -> None:
    large = [{"MessageId": str(number), "Body": "x" * 100_000} for number in range(5)]
    assert len(Queue(sqs, "orders").send(large)) == 5
    assert sqs.calls.count("SendMessageBatch") == 5


@pytest.mark.parametrize(("rate", "step", "seconds"), [(None, 10, 0), (5, 5, 4), (50, 10, 0.4)])
def test_rate_limit_delays_messages(
    sqs: FakeSqs, rate: float | None, step: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr("orders_cli.queue.time", SimpleNamespace(monotonic=lambda: sum(sleeps), sleep=sleeps.append))
    rate_limit = RateLimit(rate)
    assert rate_limit.step == step
    redrive(sqs, rate_limit=rate_limit)
    assert sum(sleeps) == pytest.approx(seconds, abs=1.1)


@pytest.mark.parametrize("number", [1, 2])
def test_move_leaves_no_message_hidden_when_the_start_of_a_thread_is_interrupted(
    sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    main, start, started = threading.main_thread(), threading.Thread.start, []

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        started.append(thread)
        if len(started) == number:
            assert main.ident is not None
            signal.pthread_kill(main.ident, signal.SIGINT)

    # Without the pause, the thread would end before the interrupted move does.
    sqs.before_call = lambda _: time.sleep(0 if threading.current_thread() is main else 0.2)
    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        redrive(sqs)
    for thread in started:
        thread.join()
    assert sorted(sqs.visible_bodies("dlq")) == sorted(sqs.bodies("dlq"))
