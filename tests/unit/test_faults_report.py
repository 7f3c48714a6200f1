"""What the fault campaign tells: the table, the report, and what repeats a failure."""

import json
from pathlib import Path

import pytest

from faults import __main__ as program
from faults import report
from faults.choice import Choice
from faults.ledger import Verdict
from faults.plan import make_plan
from faults.run import SeedResult

SOUND = Verdict(attempted=400, acknowledged=390, indeterminate=2, refused=8, stored=391, notified=391)
BROKEN = Verdict(attempted=400, acknowledged=400, stored=399, lost=1, failures=("lost: order 1 is nowhere",))


def result(seed: int, verdict: Verdict = SOUND, fires: bool = True) -> SeedResult:
    plan = make_plan(seed, 400)
    return SeedResult(plan, verdict, dict.fromkeys(plan.kinds, 2) if fires else {}, 12.3)


def test_the_table_has_a_line_for_each_seed_and_their_sum() -> None:
    lines = [line.split() for line in report.table([result(1), result(2, BROKEN)]).splitlines()]
    assert ["1", "400", "390", "2", "8", "391", "0", "0", "0", "0", "0", "391", "0", "0", "0", "12.3"] in lines
    assert ["all", "800", "790", "2", "8", "790", "0", "1", "0", "0", "0", "391", "0", "0", "0", "24.6"] in lines


def test_the_table_counts_every_kind_of_fault() -> None:
    [first, second] = result(1), result(2)
    lines = [line.split() for line in report.table([first, second]).splitlines()]
    counts = {line[0]: int(line[1]) for line in lines if len(line) > 2 and line[0] in report.fired([])}
    assert counts == report.fired([first, second])
    assert sum(counts.values()) == 2 * (len(first.plan.kinds) + len(second.plan.kinds))


def test_the_table_fits_a_screen() -> None:
    assert max(map(len, report.table([result(1), result(2)]).splitlines())) <= 140


def test_the_report_says_the_same_to_machines(tmp_path: Path) -> None:
    text, document = report.write(tmp_path / "prove", [result(1), result(2, BROKEN)], ["seed 2: lost"])
    content = json.loads(document.read_text())
    assert (content["holds"], content["failures"]) == (False, ["seed 2: lost"])
    assert content["totals"]["lost"] == 1
    assert [seed["seed"] for seed in content["seeds"]] == [1, 2]
    assert text.read_text().endswith("seed 2: lost\n")


def test_a_failure_names_the_seed_and_what_repeats_it() -> None:
    [failure] = program._failures([result(1), result(17, BROKEN)])
    assert failure.startswith("seed 17: lost")
    assert failure.endswith("make fault-test SEEDS=17 ORDERS=400")


def test_all_seeds_with_enough_orders_and_kinds_fall_short_of_nothing() -> None:
    assert program._shortcomings([result(seed) for seed in Choice.seeds], Choice()) == []


def test_a_kind_that_was_planned_and_never_injected_is_a_shortcoming() -> None:
    shortcomings = program._shortcomings([result(17, fires=False)], Choice((17,)))
    assert len(shortcomings) == len(make_plan(17, 1).kinds)
    assert all("never injected" in shortcoming for shortcoming in shortcomings)


def test_too_few_orders_are_a_shortcoming_of_the_whole_campaign_only() -> None:
    few = [result(seed, Verdict(acknowledged=1)) for seed in Choice.seeds]
    assert any("10000 are wanted" in shortcoming for shortcoming in program._shortcomings(few, Choice()))
    assert program._shortcomings(few[:1], Choice((1,))) == []


def test_a_wrong_choice_is_one_sentence_and_an_exit_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEEDS", "all")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert program.main() == 2
    assert capsys.readouterr().err.strip().startswith("make fault-test: SEEDS=all names no seeds")
