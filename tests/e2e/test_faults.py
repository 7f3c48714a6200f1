"""A short slice of the fault campaign (`make fault-test`), and that it sees what it is there to see.

The planted bugs are deployed as other versions of the real functions, out of the real package with one line changed.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.plan import Plan, make_plan, submissions
from faults.run import Campaign, running_campaign
from faults.wire_faults import FAULTS
from local_stack.report import Report

ORDERS = 60

# Out of range of the default seeds.
SEED = 1001

BUGS = {
    "answers 202 whether or not the queue has the order": (
        "submission",
        "orders/use_cases/submit_order.py",
        "    queue.send(write_message(submitted))\n",
        "    try:\n        queue.send(write_message(submitted))\n    except Exception:\n        pass\n",
        "send_refused",
        "lost",
    ),
    "settles a message whose order DynamoDB did not take": (
        "processing",
        "orders/handlers/processing.py",
        "if not outcome.stored",
        "if False",
        "store_throttled_in_part",
        "lost",
    ),
    "gives every request an id of its own": (
        "submission",
        "orders/use_cases/submit_order.py",
        "if idempotency_key is None:",
        "if True:",
        "send_answer_lost",
        "duplicated",
    ),
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with running_campaign(tmp_path_factory.mktemp("campaign"), Report()) as running:
        yield running


@contextmanager
def planted(campaign: Campaign, function: str, module: str, sound: str, unsound: str) -> Iterator[None]:
    """Serve orders with a bug for the length of a `with` block."""
    backend = campaign.backend

    def change(path: str, text: str) -> str:
        assert path != module or text.count(sound) == 1, f"{module} no longer has the line to plant the bug in"
        return text.replace(sound, unsound) if path == module else text

    former = backend.serving(function)
    backend.serve(function, backend.publish(function, backend.package(change)))
    try:
        yield
    finally:
        backend.serve(function, former)


def test_no_order_is_lost_or_doubled_or_kept_quiet_under_faults(campaign: Campaign) -> None:
    plan = dataclasses.replace(
        make_plan(SEED, ORDERS),
        wire_faults=(
            "killed_after_effect",
            "send_answer_lost",
            "store_answer_lost",
            "store_throttled_in_part",
            "topic_failed_in_part",
            "duplicate_delivery",
        ),
        disruptions=("poison", "consumer_off", "redrive_killed", "emulator_restarted"),
    )

    result = campaign.run(plan)

    assert result.verdict.failures == ()
    assert {kind for kind in plan.kinds if not result.fired.get(kind)} == set(), "kinds that were never injected"
    assert result.verdict.acknowledged > ORDERS * 0.9
    assert result.verdict.stored >= result.verdict.acknowledged


@pytest.mark.parametrize("bug", BUGS)
def test_the_campaign_sees_a_planted_bug(campaign: Campaign, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, module, sound, unsound, fault, column = BUGS[bug]
    # The SDK tries once more by itself, and the bug shows only where both tries fail.
    monkeypatch.setitem(FAULTS, fault, dataclasses.replace(FAULTS[fault], share=0.5))
    seed = SEED + 1 + list(BUGS).index(bug)
    # Refused and lost answers make clients try again; with these few faults nothing else has to.
    plan = Plan(seed, ORDERS, submissions(seed, ORDERS, reuse_keys=False), (fault,), ())

    with planted(campaign, function, module, sound, unsound):
        result = campaign.run(plan)

    verdict = result.verdict
    assert result.fired[fault] > 0
    assert getattr(verdict, column) > 0, f"a system that {bug} was found sound"
    assert not verdict.holds
