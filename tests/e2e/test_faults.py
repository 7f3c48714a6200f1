"""A short run of `make fault-test`, and a test that it detects injected bugs.

An injected bug is the deployed package with one line changed.
"""

import dataclasses
from collections.abc import Iterator

import pytest

from faults.__main__ import broken_promises, report, shortfalls
from faults.plan import Config, SeedPlan, make_client_orders
from faults.request_faults import FAULTS
from faults.run import FaultTest, running_fault_test
from local_stack.report import Report
from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.domain.order_id import random_order_id

ORDERS = 60
SEED = 1001  # not one of the default seeds

# For each bug: function, module, line, replacement, the fault that reveals it, and the count that increases.
BUGS = {
    "accepts_an_order_that_is_not_queued": (
        "submission",
        "orders/use_cases/submit_order.py",
        "    queue.send(write_message(submitted))\n",
        "    try:\n        queue.send(write_message(submitted))\n    except Exception:\n        pass\n",
        "send_refused",
        "lost",
    ),
    "deletes_the_message_of_an_order_that_is_not_stored": (
        "processing",
        "orders/handlers/processing.py",
        "if not outcome.stored",
        "if False",
        "store_throttled_in_part",
        "lost",
    ),
    "ignores_idempotency_keys": (
        "submission",
        "orders/use_cases/submit_order.py",
        "if idempotency_key is None:",
        "if True:",
        "send_response_lost",
        "duplicated",
    ),
}


@pytest.fixture(scope="module")
def fault_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultTest]:
    with running_fault_test(tmp_path_factory.mktemp("faults"), Report()) as running:
        yield running


def test_no_order_is_lost_or_duplicated_under_faults(fault_test: FaultTest) -> None:
    plan = SeedPlan(
        SEED,
        make_client_orders(SEED, ORDERS),
        request_faults=(
            "killed_after_effect",
            "send_response_lost",
            "store_response_lost",
            "store_throttled_in_part",
            "topic_failed_in_part",
            "duplicate_delivery",
        ),
        disruptions=("poison", "consumer_off", "redrive_killed", "emulator_restarted"),
    )

    result = fault_test.run(plan)

    assert result.counts.failures == ()
    assert shortfalls([result], Config((SEED,))) == []
    # While the emulator restarts, which takes longer on a busy machine, orders are rejected.
    assert result.counts.numbers["acknowledged"] > ORDERS / 2
    assert result.counts.numbers["stored"] >= result.counts.numbers["acknowledged"]

    # A copy that is stored after the seed was counted.
    backend = fault_test.backend
    keyed = {each.order for each in plan.client_orders if each.key}
    row = next(row for row in backend.rows() if row.order in keyed)
    table = DynamoDbOrderTable(backend.client("dynamodb"), backend.outputs["orders_table_name"])
    table.insert([dataclasses.replace(row, order_id=random_order_id(b"c" * 12))])
    [failure] = fault_test.count_again(result).counts.failures
    assert failure.startswith("duplicated: ")


@pytest.mark.parametrize("bug", BUGS)
def test_injected_bug_is_detected(fault_test: FaultTest, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, module, line, replacement, fault, broken = BUGS[bug]
    stack = fault_test.backend.stack

    def change(text: str) -> str:
        assert text.count(line) == 1, f"{module} no longer has the line to replace"
        return text.replace(line, replacement)

    # The SDK retries once, so the bug has an effect only if both attempts fail.
    monkeypatch.setitem(FAULTS, fault, dataclasses.replace(FAULTS[fault], share=0.5))
    seed = SEED + 1 + list(BUGS).index(bug)

    with stack.serving({function: stack.publish(function, module, change)}):
        result = fault_test.run(SeedPlan(seed, make_client_orders(seed, ORDERS // 2), (fault,)))

    assert result.injected[fault] > 0
    assert result.counts.numbers[broken] > 0
    failures = broken_promises([result], ORDERS // 2)
    assert any(failure.startswith(f"seed {seed}: {broken}: ") for failure in failures)
    assert failures[0] in report([result], failures)
