"""What the seeds of the fault campaign mean, and how a person chooses them."""

from collections import Counter

import pytest

from faults.choice import Choice
from faults.errors import CampaignError
from faults.kinds import ALL_KINDS, DISRUPTIONS, REDRIVES, WIRE_FAULTS
from faults.plan import make_plan
from faults.wire_faults import FAULTS
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import OrderInvalidError


def test_a_seed_always_means_the_same() -> None:
    assert make_plan(17, 100) == make_plan(17, 100)
    assert make_plan(17, 100) != make_plan(18, 100)


def test_the_default_seeds_inject_every_kind_with_more_than_one_of_them() -> None:
    count = Counter(kind for seed in Choice.seeds for kind in make_plan(seed, 1).kinds)
    assert count.keys() == ALL_KINDS.keys()
    assert min(count.values()) > 1, count


def test_there_is_something_to_do_for_each_kind() -> None:
    assert FAULTS.keys() >= WIRE_FAULTS.keys()
    assert not WIRE_FAULTS.keys() & DISRUPTIONS.keys()


def test_no_seed_redrives_what_another_redrive_needs() -> None:
    assert max(len(REDRIVES.intersection(make_plan(seed, 1).disruptions)) for seed in range(1000)) == 1


def test_the_portions_are_all_orders_once() -> None:
    plan = make_plan(17, 101)
    portions = plan.portions()
    assert len(portions) == len(plan.disruptions)
    assert Counter(s for portion in portions for s in portion) == Counter(plan.submissions)


def test_every_order_can_be_told_from_every_other_and_few_break_a_rule() -> None:
    plan = make_plan(17, 400)
    assert len({submission.order for submission in plan.submissions}) == len(plan.submissions)
    refused = 0
    for submission in plan.submissions:
        try:
            ORDER_RULES.validate(vars(submission.order))
        except OrderInvalidError:
            refused += 1
    assert refused == 8


def test_clients_differ_as_real_ones_do() -> None:
    submissions = make_plan(17, 400).submissions
    assert {bool(s.key) for s in submissions} == {True, False}
    assert {s.tries for s in submissions} == {1, 5}
    assert any(s.doubled for s in submissions)
    assert all(s.key for s in submissions if s.doubled), "two clicks without a key would be two orders"


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("17", (17,)), ("1-3", (1, 2, 3)), ("1-3,9, 2", (1, 2, 3, 9)), ("", Choice.seeds)],
)
def test_seeds_are_chosen_by_number_and_range(text: str, seeds: tuple[int, ...]) -> None:
    assert Choice.from_environment({"SEEDS": text}).seeds == seeds


def test_the_default_is_thirty_seeds_and_over_ten_thousand_orders() -> None:
    choice = Choice.from_environment({})
    assert choice.is_whole
    assert len(choice.seeds) == 30
    assert len(choice.seeds) * choice.orders > 11_000
    assert not Choice.from_environment({"SEEDS": "17"}).is_whole
    assert not Choice.from_environment({"ORDERS": "10"}).is_whole


@pytest.mark.parametrize("variable", ["SEEDS", "ORDERS"])
@pytest.mark.parametrize("text", ["all", "-1", "1-", "3-1", "1.5", "٣", "0x1", "9" * 9])
def test_a_wrong_choice_is_refused_with_an_example(variable: str, text: str) -> None:
    with pytest.raises(CampaignError, match=f"{variable}=.*such as {variable}="):
        Choice.from_environment({variable: text})
