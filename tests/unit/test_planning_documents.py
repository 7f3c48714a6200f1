"""docs/scaling.md and docs/cost.md say what the commands that they name print."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from planning import documents
from planning.documents import DOCUMENTS, REPOSITORY, brought_up_to_date, docs
from planning.errors import PlanningError

_MARK = "<!-- `{}`, by `make docs` -->\n"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_figure_is_what_its_command_prints(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the commands write their pictures there
    text = path.read_text(encoding="utf-8")
    assert brought_up_to_date(text) == text, "run `make docs`"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_output_stands_there_without_its_command(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    commands = re.findall(r"<!-- `(orders-plan [^`]+)`, by", text)
    assert commands
    assert re.findall(r"^```\n\$ (.+)$", text, re.MULTILINE) == commands
    assert text.count("<!-- end -->") == len(commands)


def test_a_page_that_is_behind_is_brought_up_to_date_and_told_by_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n" + _MARK.format("orders-plan cost target") + "BEHIND\n<!-- end -->\n")
    monkeypatch.setattr(documents, "DOCUMENTS", (page,))
    monkeypatch.setattr(documents, "REPOSITORY", tmp_path)
    behind = CliRunner().invoke(docs, ["--check"])
    assert behind.exit_code == 1
    assert "page.md is behind" in behind.output
    assert CliRunner().invoke(docs).exit_code == 0
    assert "$ orders-plan cost target\n" in page.read_text()
    assert "BEHIND" not in page.read_text()
    assert CliRunner().invoke(docs, ["--check"]).exit_code == 0


def test_a_command_that_is_none_of_planning_is_refused() -> None:
    with pytest.raises(PlanningError, match="no planning command"):
        brought_up_to_date(_MARK.format("orders-plan dlq list") + "<!-- end -->")


def test_the_readmes_dollars_are_those_of_the_overview_to_the_nearest_five() -> None:
    overview = (REPOSITORY / "docs" / "cost.md").read_text(encoding="utf-8")
    [columns] = re.findall(r"^ +(idle .*)$", overview, re.MULTILINE)

    def amount(part: str, month: str) -> float:
        [row] = re.findall(rf"^{part}  +(\d.*)$", overview, re.MULTILINE)
        return float(row.split()[columns.split().index(month)].replace(",", ""))

    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    said = re.findall(
        r"about (\d+) dollars for the backend and (\d+) for the storefront while nobody orders, "
        r"and about (\d+) for the backend at a million orders",
        readme,
    )
    computed = [amount("backend", "idle"), amount("the storefront", "idle"), amount("backend", "million-a-month")]
    assert said == [tuple(str(5 * round(dollars / 5)) for dollars in computed)], f"docs/cost.md says {computed}"
