"""docs/scaling.md and docs/cost.md show the current output of their commands."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planning.__main__ import PAGES, REPOSITORY, updated
from planning.capacity import Limit, simulate
from planning.cost import PROFILES, SECONDS, Bill, Part
from planning.settings import PlanningError, Settings, window_wait_seconds


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_shows_the_output_of_its_commands(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert updated(text) == text, "run `make docs`"
    commands = re.findall(r"<!-- `(orders-plan [^`]+)`, by", text)
    assert commands
    assert re.findall(r"^```\n\$ (.+)$", text, re.MULTILINE) == commands
    assert text.count("<!-- end -->") == len(commands)


@pytest.mark.parametrize("command", ["dlq list", "cost show nothing"])
def test_failing_command_is_reported(command: str) -> None:
    with pytest.raises(PlanningError, match="failed"):
        updated(f"<!-- `orders-plan {command}`, by `make docs` -->\n<!-- end -->")


def test_monitoring_costs_add_up_to_their_stated_total() -> None:
    page = (REPOSITORY / "docs" / "cost.md").read_text(encoding="utf-8")
    *rows, total = re.findall(r"^\| ([^|]+) \| (\d+\.\d\d) \| (\d+\.\d\d) \|", page, re.MULTILINE)
    assert total[0] == "total"
    for column in (1, 2):
        assert sum(float(row[column]) for row in rows) == pytest.approx(float(total[column]), abs=0.02)
    bill = Bill(PROFILES["million-a-month"])
    assert f"{bill.total(Part.PATH, Part.MONITORING):.2f}" == total[2]


def test_page_states_the_results_of_two_loads_that_it_does_not_show() -> None:
    page = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")

    def output(arguments: str) -> str:
        return updated(f"<!-- `orders-plan {arguments}`, by `make docs` -->\n<!-- end -->")

    [load] = re.findall(r"<!-- `orders-plan (capacity .+ --set processing_maximum_concurrency)=\d+`", page)
    [concurrency] = re.findall(r"^With `processing_maximum_concurrency=(\d+)` the same load has no dead", page, re.M)
    assert re.search("^dead letters +0$", output(f"{load}={concurrency}"), re.MULTILINE)

    [text] = re.findall(r"^With (`api_throttling.+) no limit is reached\. At twice the\nrate", page, re.MULTILINE)
    settings = {name: int(value) for name, value in re.findall(r"`(\w+)=(\d+)`", text)}
    for factor, expected in ((1, []), (2, [Limit.LAMBDA_ACCOUNT, Limit.STREAM_SHARDS])):
        raised = Settings(**{name: value * factor for name, value in settings.items()})
        assert list(simulate(1000 * factor, 600, raised).limits) == expected


def test_page_shows_the_savings_of_a_batch_window() -> None:
    page = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) s \| (.+) \|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == ["1", "2", "20"]
    for window, cells in rows:
        expected = []
        for name in ("million-a-month", "million-a-day"):
            settings = Settings(processing_batch_window_seconds=int(window))
            at_once, later = (Bill(replace(PROFILES[name], settings=each)) for each in (Settings(), settings))
            saved = at_once.total() - later.total()
            # A customer who waits polls at least once more, so the default is 0.
            assert 0 < saved < at_once.total(Part.STATUS)
            rate = PROFILES[name].orders / SECONDS / settings.pollers
            expected += [f"{saved:.2f}", f"{window_wait_seconds(rate, int(window), 10):.1f} s"]
        assert cells.split(" | ") == expected


def test_page_shows_the_cost_of_each_alternative() -> None:
    page = (REPOSITORY / "docs" / "cost.md").read_text(encoding="utf-8")
    backend = replace(PROFILES["million-a-month"], has_storefront=False)
    assert f"costs {Bill(backend).total():.2f}." in page
    changes: list[dict[str, Any]] = [{"has_free_dashboard": True}, {"orders_are_mailed": True}, {"is_traced": True}]
    changes += [{"has_snapstart": True}, {"has_customer_key": True}, {"orders_per_batch": 10}]
    differences = [Bill(replace(backend, **change)).total() - Bill(backend).total() for change in changes]
    rows = re.findall(r"^\| [^|]+ \| ([+-]\d+\.\d\d) \|$", page, re.MULTILINE)
    assert rows == [f"{difference:+.2f}" for difference in differences]


def test_readme_names_the_costs_of_the_overview() -> None:
    overview = (REPOSITORY / "docs" / "cost.md").read_text(encoding="utf-8")
    [columns] = re.findall(r"^ +(idle .*)$", overview, re.MULTILINE)

    def amount(part: str, month: str) -> float:
        [row] = re.findall(rf"^{part}  +(\d.*)$", overview, re.MULTILINE)
        return float(row.split()[columns.split().index(month)].replace(",", ""))

    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    named = re.findall(
        r"about \$(\d+) for the backend and \$(\d+) for the storefront when idle, and about \$(\d+)", readme
    )
    computed = [amount("backend", "idle"), amount("storefront", "idle"), amount("backend", "million-a-month")]
    assert named == [tuple(str(5 * round(dollars / 5)) for dollars in computed)], f"docs/cost.md has {computed}"
