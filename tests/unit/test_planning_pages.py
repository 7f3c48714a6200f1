"""docs/scaling.md and docs/cost.md show the current output of their commands."""

import re
from pathlib import Path

import pytest

from planning.__main__ import PAGES, REPOSITORY, updated
from planning.settings import PlanningError


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
    assert f"Not met: {total[2]} if it is not." in page


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
