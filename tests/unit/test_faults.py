"""`make fault-test`: the counts of its ledger, the coverage of its seeds, and the settings SEEDS and ORDERS."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import pytest

from faults import __main__ as program
from faults import disruptions
from faults.__main__ import broken_promises, shortfalls
from faults.fault_types import DESCRIPTIONS, DISRUPTIONS, REDRIVES
from faults.ledger import Acceptance, Counts, Findings, Ledger, Request
from faults.plan import Config, FaultTestError, make_plan
from faults.run import SeedResult
from orders.domain.message import write_message
from orders.domain.order import Order, ProcessedOrder, SubmittedOrder
from orders.domain.order_id import derived_order_id, random_order_id
from support.sample_orders import PROCESSED_AT, SUBMITTED_AT

ORDER = Order("s1-1", "Banana", 1, "2025-04-25")
CHANGED = dataclasses.replace(ORDER, quantity=2)
KEYED = derived_order_id(ORDER, "key")
FIRST, SECOND = random_order_id(b"a" * 12), random_order_id(b"b" * 12)

NO_RESPONSE = Request(ORDER, None, Acceptance.INDETERMINATE)
NO_RESPONSE_KEYED = Request(ORDER, "key", Acceptance.INDETERMINATE)
REJECTED = Request(ORDER, None, Acceptance.REJECTED)


def ok(order_id: str, order: Order = ORDER, key: str | None = None) -> Request:
    return Request(order, key, Acceptance.ACKNOWLEDGED, order_id)


def row(order_id: str, order: Order = ORDER) -> ProcessedOrder:
    return ProcessedOrder(order_id, order, SUBMITTED_AT, PROCESSED_AT)


def letter(order_id: str, order: Order = ORDER) -> str:
    return write_message(SubmittedOrder(order_id, order, SUBMITTED_AT, "request"))


def broken(counts: Counts) -> dict[str, int]:
    names = ("lost", "duplicated", "unexpected", "denied", "never_announced")
    found = {name: counts.numbers[name] for name in names if counts.numbers[name]}
    assert len(counts.failures) == sum(found.values())
    return found


def found(*rows: ProcessedOrder, dead_letters: Sequence[str] = ()) -> Findings:
    """Return findings in which every stored order was announced."""
    return Findings(rows, dead_letters, {row.order_id: 1 for row in rows})


@pytest.mark.parametrize(
    ("requests", "findings", "expected"),
    [
        # Stored, dead-lettered or unknown: no promise is broken.
        ([ok(FIRST)], found(row(FIRST)), {}),
        ([ok(FIRST)], found(dead_letters=[letter(FIRST)]), {}),
        ([NO_RESPONSE], found(), {}),
        ([NO_RESPONSE], found(row(FIRST)), {}),
        ([NO_RESPONSE, ok(FIRST)], found(row(FIRST), row(SECOND)), {}),
        ([ok(FIRST), ok(SECOND)], found(row(FIRST), row(SECOND)), {}),
        ([REJECTED], found(), {}),
        ([ok(FIRST)], Findings([row(FIRST)], announced={FIRST: 3}), {}),
        ([ok(FIRST)], Findings([row(FIRST)], given_up=frozenset({FIRST})), {}),
        ([ok(FIRST)], found(), {"lost": 1}),
        ([ok(FIRST), ok(SECOND)], found(row(FIRST)), {"lost": 1}),
        ([ok(FIRST)], found(dead_letters=[letter(FIRST, CHANGED)]), {"lost": 1}),
        ([ok(KEYED, key="key"), ok(KEYED, CHANGED, "key")], found(row(KEYED, CHANGED)), {"lost": 1}),
        ([ok(FIRST)], found(row(FIRST, CHANGED)), {"lost": 1, "duplicated": 1}),
        ([ok(KEYED, key="key"), NO_RESPONSE_KEYED], found(row(KEYED), row(FIRST)), {"duplicated": 1}),
        ([ok(FIRST)], found(row(FIRST), row(SECOND)), {"duplicated": 1}),
        ([ok(FIRST)], found(row(FIRST), row(FIRST)), {"duplicated": 1}),
        ([], found(row(FIRST)), {"unexpected": 1}),
        ([], found(dead_letters=[letter(FIRST)]), {"unexpected": 1}),
        ([], found(dead_letters=["not an order"]), {"unexpected": 1}),
        ([REJECTED], found(row(FIRST)), {"unexpected": 1, "duplicated": 1}),
        ([NO_RESPONSE], Findings(announced={FIRST: 1}), {"unexpected": 1}),
        (
            [ok(KEYED, key="key"), ok(KEYED, CHANGED, "key")],
            found(row(KEYED), dead_letters=[letter(KEYED, CHANGED)]),
            {"unexpected": 1},
        ),
        ([ok(FIRST)], Findings([row(FIRST)]), {"never_announced": 1}),
    ],
)
def test_ledger_reports_broken_promises(requests: list[Request], findings: Findings, expected: dict[str, int]) -> None:
    assert broken(Ledger(requests).count(findings)) == expected


def test_ledger_reports_lost_messages_and_404s() -> None:
    assert broken(Ledger(poison=["poison"], denied=[FIRST]).count(found())) == {"lost": 1, "denied": 1}
    assert broken(Ledger(poison=["poison"]).count(found(dead_letters=["poison"]))) == {}


def test_ledger_counts_an_order_once() -> None:
    counts = Ledger([NO_RESPONSE_KEYED, ok(KEYED, key="key")]).count(found(row(KEYED)))
    assert +counts.numbers == dict.fromkeys(("attempted", "acknowledged", "stored", "announced"), 1)


def test_failure_names_the_command_that_repeats_it() -> None:
    result = SeedResult(make_plan(17, 1), Counts(failures=("lost: order 1",)), {}, 1.0)
    [failure] = broken_promises([result], 40)
    assert failure == "seed 17: lost: order 1; repeat with: make fault-test SEEDS=17 ORDERS=40"


def test_missing_fault_and_too_few_orders_are_shortfalls() -> None:
    plan = make_plan(17, 1)
    missing, *injected = sorted(plan.fault_types)
    result = SeedResult(plan, Counts(Counter(acknowledged=1)), dict.fromkeys(injected, 1), 1.0)
    never = f"this fault type was never injected: {missing}"
    assert shortfalls([result], Config.from_environment({"SEEDS": "17"})) == [never]
    [_, few_orders] = shortfalls([result], Config.from_environment({}))
    assert few_orders.startswith("1 orders were acknowledged")


def test_default_seeds_plan_enough_orders_and_each_fault_type_twice() -> None:
    config = Config.from_environment({})
    plans = [make_plan(seed, 1) for seed in config.seeds]
    planned = Counter(name for plan in plans for name in plan.fault_types)
    assert planned.keys() == DESCRIPTIONS.keys()
    assert min(planned.values()) > 1
    assert max(len(REDRIVES.intersection(plan.disruptions)) for plan in plans) == 1
    assert all(hasattr(disruptions, name) for name in DISRUPTIONS)
    assert config.is_full
    assert len(config.seeds) * config.orders > 11_000


@pytest.mark.parametrize(("text", "seeds"), [("17", (17,)), ("1-3", (1, 2, 3)), ("", Config.seeds)])
def test_seeds_are_a_number_or_a_range(text: str, seeds: tuple[int, ...]) -> None:
    assert Config.from_environment({"SEEDS": text}).seeds == seeds


@pytest.mark.parametrize("variable", ["SEEDS", "ORDERS"])
@pytest.mark.parametrize("text", ["all", "-1", "3-1", "1,2", "٣", "9" * 9])
def test_invalid_setting_is_rejected_with_an_example(variable: str, text: str) -> None:
    with pytest.raises(FaultTestError, match=f"{variable}=.*such as {variable}="):
        Config.from_environment({variable: text})


def test_command_reports_invalid_setting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SEEDS", "all")
    assert program.main() == 2
    assert capsys.readouterr().err.strip().startswith("make fault-test: SEEDS=all is not valid")
