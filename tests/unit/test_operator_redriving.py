"""Dead letters on their way back: none is lost, whenever the tool is killed, and none but the chosen ones moves."""

from collections import Counter
from collections.abc import Sequence

import pytest

from fake_aws.sqs import Crash, FakeSqs, refusal
from orders_cli.peek import look_through
from orders_cli.queue import Message, Pace, Queue
from orders_cli.redrive import Moved, redrive, send_again, take_out

NUMBER = 25
BODIES = [f"order {number}" for number in range(NUMBER)]
FOR_EVER = 24 * 60 * 60


def silent(_: int) -> None:
    """Tell nobody how far it is."""


@pytest.fixture
def sqs() -> FakeSqs:
    fake = FakeSqs("dlq", "orders")
    for body in BODIES:
        fake.put("dlq", body)
    return fake


def ids_of(sqs: FakeSqs) -> set[str]:
    return {message["id"] for message in sqs.queues["dlq"]}


def redrive_all(sqs: FakeSqs, ids: set[str] | None = None, pace: Pace | None = None) -> Moved:
    return redrive(
        ids_of(sqs) if ids is None else ids,
        source=Queue(sqs, "dlq"),
        target=Queue(sqs, "orders"),
        pace=pace or Pace(None),
        advance=silent,
    )


def test_all_messages_move_once(sqs: FakeSqs) -> None:
    assert redrive_all(sqs) == Moved(done=NUMBER)
    assert sqs.bodies("dlq") == []
    assert Counter(sqs.bodies("orders")) == dict.fromkeys(BODIES, 1)


def test_a_second_run_finds_nothing_to_do(sqs: FakeSqs) -> None:
    ids = ids_of(sqs)
    redrive_all(sqs, ids)
    assert redrive_all(sqs, ids) == Moved()
    assert len(sqs.bodies("orders")) == NUMBER


def test_only_the_chosen_messages_move_and_the_others_are_visible_again(sqs: FakeSqs) -> None:
    chosen = {message["id"] for message in sqs.queues["dlq"][3:14]}
    assert redrive_all(sqs, chosen) == Moved(done=11)
    assert sorted(sqs.bodies("orders")) == sorted(BODIES[3:14])
    assert sorted(sqs.visible_bodies("dlq")) == sorted(BODIES[:3] + BODIES[14:])


def test_a_message_that_comes_back_meanwhile_is_not_moved_again(sqs: FakeSqs) -> None:
    ids = ids_of(sqs)

    def fail_again(_: int) -> None:
        if sqs.calls[-1] == "DeleteMessageBatch, its answer" and len(sqs.bodies("orders")) < 2 * NUMBER:
            sqs.put("dlq", "came back")

    sqs.before_call = fail_again
    assert redrive_all(sqs, ids) == Moved(done=NUMBER)
    assert "came back" not in sqs.bodies("orders")
    assert set(sqs.visible_bodies("dlq")) == {"came back"}


def test_what_the_queue_does_not_take_stays_in_the_dead_letter_queue(sqs: FakeSqs) -> None:
    sqs.refused_bodies = {BODIES[7]}
    assert redrive_all(sqs) == Moved(done=NUMBER - 1, refused=1)
    assert sqs.visible_bodies("dlq") == [BODIES[7]]


def test_what_cannot_be_deleted_is_told_and_does_no_harm(sqs: FakeSqs) -> None:
    sqs.undeletable_bodies = {BODIES[7]}
    assert redrive_all(sqs) == Moved(done=NUMBER - 1, left_behind=1)
    assert sqs.visible_bodies("dlq") == [BODIES[7]]
    assert set(sqs.bodies("orders")) == set(BODIES)


def calls_of_a_whole_run() -> int:
    fake = FakeSqs("dlq", "orders")
    for body in BODIES:
        fake.put("dlq", body)
    redrive_all(fake)
    return len(fake.calls)


@pytest.mark.parametrize("call", range(1, calls_of_a_whole_run() + 1))
def test_killed_at_any_call_nothing_is_lost_and_the_next_run_does_the_rest(sqs: FakeSqs, call: int) -> None:
    def kill(number: int) -> None:
        # A killed process calls nothing any more, so what would put things in order does not run either.
        if number >= call:
            raise Crash

    sqs.before_call = kill
    with pytest.raises(Crash):
        redrive_all(sqs)
    assert set(sqs.bodies("dlq")) | set(sqs.bodies("orders")) == set(BODIES)
    hidden = len(sqs.bodies("dlq")) - len(sqs.visible_bodies("dlq"))
    assert hidden <= 10, "a killed run hides no more than it was about to move"

    sqs.before_call = silent
    sqs.now += 31
    redrive_all(sqs)
    assert sqs.bodies("dlq") == []
    assert set(sqs.bodies("orders")) == set(BODIES)
    assert len(sqs.bodies("orders")) <= NUMBER + 10, "only what was under way is there twice"


def test_an_error_on_the_way_leaves_all_that_is_left_visible(sqs: FakeSqs) -> None:
    def refuse(_: int) -> None:
        if sqs.calls[-1] == "SendMessageBatch" and len(sqs.bodies("orders")) >= 10:
            raise refusal("AccessDenied", "SendMessageBatch")

    sqs.before_call = refuse
    with pytest.raises(Exception, match="AccessDenied"):
        redrive_all(sqs)
    assert len(sqs.bodies("orders")) == 10
    assert len(sqs.visible_bodies("dlq")) == NUMBER - 10


def test_nothing_is_deleted_before_it_is_safe(sqs: FakeSqs) -> None:
    safe: list[str] = []

    def keep(messages: Sequence[Message]) -> Sequence[Message]:
        assert not any(message["Body"] in safe for message in messages)
        safe.extend(message["Body"] for message in messages)
        assert set(sqs.bodies("dlq")) >= {message["Body"] for message in messages}
        return messages[:-1]

    moved = take_out(ids_of(sqs), source=Queue(sqs, "dlq"), keep_safe=keep, step=4, advance=silent)
    assert moved.done + moved.refused == NUMBER
    assert len(sqs.bodies("dlq")) == moved.refused > 0


def test_looking_through_hides_nothing_for_good_and_sees_every_message_once(sqs: FakeSqs) -> None:
    seen = look_through(Queue(sqs, "dlq"), lambda message: message["Body"])
    assert sorted(seen) == sorted(BODIES)
    assert sqs.visible_bodies("dlq") == BODIES


def test_a_message_that_sqs_hands_out_twice_is_seen_once_and_visible_in_the_end(sqs: FakeSqs) -> None:
    def show_the_first_again(_: int) -> None:
        if sqs.calls[-1] == "ReceiveMessage" and sqs.calls.count("ReceiveMessage") in (2, 3, 9):
            sqs.queues["dlq"][0]["visible"] = 0.0

    sqs.before_call = show_the_first_again
    sqs.queues["dlq"] += [{**sqs.queues["dlq"][0], "id": f"more {n}", "body": f"more {n}"} for n in range(90)]
    seen = look_through(Queue(sqs, "dlq"), lambda message: message["Body"])
    assert len(seen) == len(set(seen)) == NUMBER + 90
    assert sqs.queues["dlq"][0]["receives"] >= 2
    assert len(sqs.visible_bodies("dlq")) == NUMBER + 90


def test_looking_through_releases_what_it_has_seen_when_it_is_interrupted(sqs: FakeSqs) -> None:
    def interrupt(message: Message) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_through(Queue(sqs, "dlq"), interrupt)
    assert sqs.visible_bodies("dlq") == BODIES


def test_messages_that_are_in_no_queue_are_sent_in_their_order(sqs: FakeSqs) -> None:
    messages = [{"Body": f"archived {number}"} for number in range(23)]
    assert send_again(messages, target=Queue(sqs, "orders"), pace=Pace(None), advance=silent) == Moved(done=23)
    assert sqs.bodies("orders") == [f"archived {number}" for number in range(23)]


def test_attributes_travel_with_a_message(sqs: FakeSqs) -> None:
    sqs.put("dlq", "with", trace={"DataType": "String", "StringValue": "1-2"})
    redrive_all(sqs)
    [moved] = [message for message in sqs.queues["orders"] if message["body"] == "with"]
    assert moved["attributes"] == {"trace": {"DataType": "String", "StringValue": "1-2"}}


def test_large_messages_travel_in_as_many_requests_as_sqs_wants(sqs: FakeSqs) -> None:
    large = [str(number) + "x" * 200_000 for number in range(5)]
    for body in large:
        sqs.put("dlq", body)
    assert redrive_all(sqs).done == NUMBER + 5
    assert set(large) <= set(sqs.bodies("orders"))
    assert sqs.calls.count("SendMessageBatch") >= 5


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(("a_second", "step"), [(None, 10), (500, 10), (10, 10), (3, 3), (1, 1)])
def test_a_pace_lets_no_more_than_a_second_pass_at_once(a_second: float | None, step: int) -> None:
    assert Pace(a_second).step == step


def test_a_rate_is_kept_over_the_whole_run(sqs: FakeSqs) -> None:
    time = Time()
    redrive_all(sqs, pace=Pace(5, clock=time.clock, sleep=time.sleep))
    # The last step may pass at once; all before it take their time.
    assert time.now - 100.0 == pytest.approx((NUMBER - 5) / 5)


def test_an_idle_pace_saves_nothing_up() -> None:
    time = Time()
    pace = Pace(1, clock=time.clock, sleep=time.sleep)
    time.now += FOR_EVER
    for _ in range(4):
        pace.wait(1)
    assert time.slept == [1.0, 1.0, 1.0]
