"""SQS's own move task, as AWS documents it: no emulator has one."""

from typing import Any

import pytest

from fake_aws.sqs import refusal
from orders_cli.errors import OperatorError
from orders_cli.move_task import MoveTaskUnavailableError, move_all


class FakeTasks:
    """A queue's move tasks, the newest first; each look at a running one moves it on through `course`."""

    def __init__(self, *course: tuple[str, int], former: list[dict[str, Any]] | None = None) -> None:
        self.course = list(course)
        self.tasks = former or []
        self.started: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.unlisted_looks = 0
        self.unavailable: str | None = None

    def start_message_move_task(self, **request: Any) -> dict[str, Any]:
        if self.unavailable:
            raise refusal(self.unavailable, "StartMessageMoveTask")
        self.started.append(request)
        self.tasks.insert(0, {"Status": "RUNNING", "TaskHandle": "new", "StartedTimestamp": 2})
        return {"TaskHandle": "new"}

    def list_message_move_tasks(self, *, SourceArn: str, MaxResults: int) -> dict[str, Any]:  # noqa: N803
        if self.unavailable:
            raise refusal(self.unavailable, "ListMessageMoveTasks")
        if self.started and self.unlisted_looks:
            self.unlisted_looks -= 1
            return {"Results": self.tasks[1:][:MaxResults]}
        if self.tasks and self.tasks[0]["Status"] == "RUNNING" and (self.started or self.following):
            status, moved = self.course.pop(0)
            self.tasks[0] |= {"Status": status, "ApproximateNumberOfMessagesMoved": moved}
            if status != "RUNNING":
                # "This field is only populated if the status of the task is RUNNING."
                self.tasks[0].pop("TaskHandle")
        return {"Results": self.tasks[:MaxResults]}

    following = False

    def cancel_message_move_task(self, *, TaskHandle: str) -> None:  # noqa: N803
        self.cancelled.append(TaskHandle)


def move(sqs: FakeTasks, rate: float | None = None, **more: Any) -> tuple[int, list[int]]:
    told: list[int] = []
    moved = move_all(
        sqs,
        source_arn="arn:dlq",
        target_arn="arn:orders",
        rate=rate,
        advance=told.append,
        **{"sleep": lambda _: None, **more},
    )
    return moved, told


FINISHED = {"Status": "COMPLETED", "StartedTimestamp": 1, "ApproximateNumberOfMessagesMoved": 99}


def test_a_queue_is_moved_and_its_progress_told() -> None:
    sqs = FakeTasks(("RUNNING", 0), ("RUNNING", 40), ("COMPLETED", 100))
    assert move(sqs) == (100, [0, 40, 60])
    assert sqs.started == [{"SourceArn": "arn:dlq", "DestinationArn": "arn:orders"}]


@pytest.mark.parametrize(("rate", "told"), [(50, 50), (5000, 500)])
def test_a_rate_is_told_to_the_service_as_far_as_it_goes(rate: float, told: int) -> None:
    sqs = FakeTasks(("COMPLETED", 1))
    move(sqs, rate)
    assert sqs.started[0]["MaxNumberOfMessagesPerSecond"] == told


def test_a_former_task_is_not_taken_for_the_new_one() -> None:
    sqs = FakeTasks(("COMPLETED", 7), former=[dict(FINISHED)])
    sqs.unlisted_looks = 2
    assert move(sqs) == (7, [7])


def test_a_task_that_runs_already_is_followed_and_not_started_again() -> None:
    sqs = FakeTasks(
        ("RUNNING", 10),
        ("RUNNING", 20),
        ("COMPLETED", 30),
        former=[{"Status": "RUNNING", "TaskHandle": "killed run's", "StartedTimestamp": 1}],
    )
    sqs.following = True
    assert move(sqs)[0] == 30
    assert sqs.started == []


def test_an_interruption_cancels_the_task() -> None:
    sqs = FakeTasks(("RUNNING", 0), ("RUNNING", 1))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(sqs, sleep=interrupt)
    assert sqs.cancelled == ["new"]


@pytest.mark.parametrize(
    ("status", "said"), [("FAILED", "gave up moving after 3 messages"), ("CANCELLED", "cancelled the move after 3")]
)
def test_a_task_that_does_not_end_well_says_what_to_do(status: str, said: str) -> None:
    with pytest.raises(OperatorError, match=rf"{said}.*Run this again"):
        move(FakeTasks((status, 3)))


@pytest.mark.parametrize("code", ["InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation"])
def test_a_service_without_move_tasks_says_so_before_anything_is_done(code: str) -> None:
    sqs = FakeTasks()
    sqs.unavailable = code
    with pytest.raises(MoveTaskUnavailableError):
        move(sqs)


def test_a_missing_permission_is_no_missing_move_task() -> None:
    sqs = FakeTasks()
    sqs.unavailable = "AccessDenied"
    with pytest.raises(Exception, match="AccessDenied"):
        move(sqs)
