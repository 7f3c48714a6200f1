"""`make fault-test`: the counts of its ledger, the coverage of its seeds, and the settings SEEDS and ORDERS."""

import dataclasses
from collections import Counter

import pytest

from faults import __main__ as program
from faults import disruptions
from faults.fault_types import DESCRIPTIONS, DISRUPTIONS, REDRIVES
from faults.ledger import Acceptance, Counts, Findings, Ledger, Request
from faults.plan import Config, FaultTestError, make_plan
from faults.report import broken_promises, shortfalls
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


def count(ledger: Ledger, findings: Findings) -> Counts:
    """Count orders, assuming that every stored order was announced."""
    announced = findings.announced or {row.order_id: 1 for row in findings.rows}
    return ledger.count(dataclasses.replace(findings, announced=announced))


def broken(counts: Counts) -> dict[str, int]:
    names = ("lost", "duplicated", "unexpected", "denied", "never_announced")
    found = {name: counts.numbers[name] for name in names if counts.numbers[name]}
    assert len(counts.failures) == sum(found.values())
    return found


@pytest.mark.parametrize(
    ("requests", "findings", "expected"),
    [
        # Stored, dead-lettered or unknown: no promise is broken.
        ([ok(FIRST)], Findings([row(FIRST)]), {}),
        ([ok(FIRST)], Findings(dead_letters=[letter(FIRST)]), {}),
        ([NO_RESPONSE], Findings(), {}),
        ([NO_RESPONSE], Findings([row(FIRST)]), {}),
        ([NO_RESPONSE, ok(FIRST)], Findings([row(FIRST), row(SECOND)]), {}),
        ([ok(FIRST), ok(SECOND)], Findings([row(FIRST), row(SECOND)]), {}),
        ([REJECTED], Findings(), {}),
        ([ok(FIRST)], Findings(), {"lost": 1}),
        ([ok(FIRST), ok(SECOND)], Findings([row(FIRST)]), {"lost": 1}),
        ([ok(FIRST)], Findings(dead_letters=[letter(FIRST, CHANGED)]), {"lost": 1}),
        ([ok(KEYED, key="key"), ok(KEYED, CHANGED, "key")], Findings([row(KEYED, CHANGED)]), {"lost": 1}),
        ([ok(FIRST)], Findings([row(FIRST, CHANGED)]), {"lost": 1, "duplicated": 1}),
        ([ok(KEYED, key="key"), NO_RESPONSE_KEYED], Findings([row(KEYED), row(FIRST)]), {"duplicated": 1}),
        ([ok(FIRST)], Findings([row(FIRST), row(SECOND)]), {"duplicated": 1}),
        ([ok(FIRST)], Findings([row(FIRST), row(FIRST)]), {"duplicated": 1}),
        ([], Findings([row(FIRST)]), {"unexpected": 1}),
        ([], Findings(dead_letters=[letter(FIRST)]), {"unexpected": 1}),
        ([], Findings(dead_letters=["not an order"]), {"unexpected": 1}),
        ([REJECTED], Findings([row(FIRST)]), {"unexpected": 1, "duplicated": 1}),
        ([NO_RESPONSE], Findings(announced={FIRST: 1}), {"unexpected": 1}),
        (
            [ok(KEYED, key="key"), ok(KEYED, CHANGED, "key")],
            Findings([row(KEYED)], [letter(KEYED, CHANGED)]),
            {"unexpected": 1},
        ),
    ],
)
def test_ledger_reports_broken_promises(requests: list[Request], findings: Findings, expected: dict[str, int]) -> None:
    assert broken(count(Ledger(requests), findings)) == expected


@pytest.mark.parametrize(
    ("ledger", "findings", "expected"),
    [
        (Ledger([ok(FIRST)]), Findings([row(FIRST)]), {"never_announced": 1}),
        (Ledger([ok(FIRST)]), Findings([row(FIRST)], announced={FIRST: 3}), {}),
        (Ledger([ok(FIRST)]), Findings([row(FIRST)], given_up=frozenset({FIRST})), {}),
        (Ledger([ok(FIRST)], denied=[FIRST]), Findings([row(FIRST)], announced={FIRST: 1}), {"denied": 1}),
        (Ledger(poison=["poison"]), Findings(), {"lost": 1}),
        (Ledger(poison=["poison"]), Findings(dead_letters=["poison"]), {}),
    ],
)
def test_ledger_reports_lost_announcements_lost_messages_and_404s(
    ledger: Ledger, findings: Findings, expected: dict[str, int]
) -> None:
    assert broken(ledger.count(findings)) == expected


def test_ledger_counts_an_order_once() -> None:
    counts = count(Ledger([NO_RESPONSE_KEYED, ok(KEYED, key="key")]), Findings([row(KEYED)]))
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
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert program.main() == 2
    assert capsys.readouterr().err.strip().startswith("make fault-test: SEEDS=all is not valid")
