"""Holding the capacity model against a stack: what is measured, and when the model is said to be off."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import local_stack
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.message import read_message
from planning import calibration
from planning.__main__ import planning
from planning.calibration import Comparison, compare_with
from planning.errors import PlanningError

START_SECONDS = 2.0


class PlayedStack:
    """A queue and its consumer in a time of their own: `places` batches of ten at once, each `batch_seconds` long."""

    def __init__(self, batch_seconds: float = 0.5) -> None:
        self.outputs = {"orders_queue_url": "orders"}
        self.places = 5
        self.now = 0.0
        self.batch_seconds = batch_seconds
        self.sent: list[str] = []
        self.switched: list[tuple[str, bool]] = []
        self._full = 0
        self._on_since: float | None = None

    # The clock

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # SQS and Lambda

    def client(self, service: str) -> "PlayedStack":
        return self

    def list_event_source_mappings(self) -> dict[str, Any]:
        orders = {"UUID": "orders", "EventSourceArn": "arn:orders", "BatchSize": 10}
        stream = {"UUID": "stream", "EventSourceArn": "arn:stream", "BatchSize": 10}
        return {"EventSourceMappings": [stream, orders | {"ScalingConfig": {"MaximumConcurrency": self.places}}]}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        self.switched.append((UUID, Enabled))
        if UUID == "orders":
            self._full = self._waiting()
            self._on_since = self.now + START_SECONDS if Enabled else None

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        assert len({entry["Id"] for entry in Entries}) == len(Entries) <= 10
        self.sent += [entry["MessageBody"] for entry in Entries]
        self._full += len(Entries)

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        if AttributeNames == ["QueueArn"]:
            return {"Attributes": {"QueueArn": f"arn:{QueueUrl}"}}
        hidden = min(10 * self.places, self._waiting())
        return {"Attributes": dict(zip(AttributeNames, (str(self._waiting() - hidden), str(hidden)), strict=True))}

    def _waiting(self) -> int:
        if self._on_since is None:
            return self._full
        cycles = int(max(0.0, self.now - self._on_since) / self.batch_seconds)
        return max(0, self._full - cycles * 10 * self.places)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> PlayedStack:
    played = PlayedStack()
    monkeypatch.setattr(calibration, "time", played)
    return played


def test_the_model_foretells_a_queue_that_drains_at_a_steady_pace(stack: PlayedStack) -> None:
    batch_seconds, comparisons = compare_with(stack, 1000)

    assert batch_seconds == pytest.approx(0.5, rel=0.1), "the consumer's own start is no part of it"
    assert [each.what for each in comparisons] == ["1,000 orders", "2,000 orders"]
    assert [each.measured_seconds for each in comparisons] == pytest.approx([10, 20], rel=0.05)
    assert all(abs(each.difference) < calibration.TOLERANCE for each in comparisons)


def test_only_orders_that_can_be_stored_are_sent_and_only_their_consumer_works(stack: PlayedStack) -> None:
    compare_with(stack, 400)

    assert len({read_message(body, ORDER_RULES).order_id for body in stack.sent}) == len(stack.sent)
    assert stack.switched[0] == ("stream", False)
    assert ("stream", True) not in stack.switched


def test_a_stack_that_does_not_drain_is_told_and_not_waited_for(stack: PlayedStack) -> None:
    stack.batch_seconds = 1e9
    with pytest.raises(PlanningError, match=r"^The local stack has not drained 50 orders within 300 s\.$"):
        compare_with(stack, 400)


def calibrate(monkeypatch: pytest.MonkeyPatch, foretold_seconds: float, *arguments: str) -> Any:
    """Run the command on a stack that took ten seconds."""

    @contextmanager
    def running(settings: Any) -> Iterator[Any]:
        assert settings.storefront_port != settings.aws_port
        assert ".local" not in str(settings.local_directory), "not the person's own stack"
        yield SimpleNamespace(orders=None)

    monkeypatch.setattr(local_stack, "LocalStack", running)
    compared = (0.5, [Comparison("2,000 orders", 10.0, foretold_seconds)])
    monkeypatch.setattr(calibration, "compare_with", lambda stack, orders: compared)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return CliRunner().invoke(planning, ["calibrate", *arguments])


def test_a_model_that_agrees_is_told_with_how_far_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = calibrate(monkeypatch, 11.0)
    assert answer.exit_code == 0
    assert answer.stdout == "a batch of ten takes 0.500 s\n2,000 orders: measured 10.0 s, model 11.0 s, +10%\n"


@pytest.mark.parametrize("foretold_seconds", [7.9, 12.1])
def test_a_model_that_is_off_fails_after_the_figures(monkeypatch: pytest.MonkeyPatch, foretold_seconds: float) -> None:
    answer = calibrate(monkeypatch, foretold_seconds, "--json")
    assert answer.exit_code == 1
    [comparison] = json.loads(answer.stdout)["comparisons"]
    assert comparison["difference"] == pytest.approx(foretold_seconds / 10 - 1)
    assert "The model is more than 20% off: is the machine busy?" in answer.stderr
