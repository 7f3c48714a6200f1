"""checkov reports only the findings in accepted_findings.py.

checkov pins dependencies that conflict with those of the tests, so install it separately: `pipx install checkov`.
"""

import json
import os
import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infrastructure.static.accepted_findings import ACCEPTED
from support.deployment.terraform import Plan
from support.prerequisites import require_program
from support.repository.cloudformation import TEMPLATE


@dataclass(frozen=True)
class Report:
    """checkov's report on one document."""

    passed: int
    failed: dict[str, list[str]]
    """Resources by the ID of the check."""


@pytest.fixture(scope="session")
def checkov() -> str:
    return require_program("checkov", "install it separately with: pipx install checkov")


@pytest.fixture(scope="module")
def reports(
    checkov: str, plan: Plan, frontend_plan: Plan, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Report]:
    """checkov's reports by the names in ACCEPTED."""
    directory = tmp_path_factory.mktemp("checkov")
    for name, each in {"terraform-backend": plan, "terraform-frontend": frontend_plan}.items():
        (directory / f"{name}.json").write_text(json.dumps(each.document))
    shutil.copy(TEMPLATE, directory / "cloudformation.yaml")
    command = [checkov, "--framework", "terraform_plan", "cloudformation", "--output", "json", "--compact"]
    ran = subprocess.run(
        [*command, "--skip-download", "--file", *sorted(path.name for path in directory.iterdir())],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    passed: Counter[str] = Counter()
    failed: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for part in json.loads(ran.stdout):
        assert part["results"]["parsing_errors"] == []
        passed.update(_name(check) for check in part["results"]["passed_checks"])
        for check in part["results"]["failed_checks"]:
            failed[_name(check)].setdefault(check["check_id"], []).append(check["resource"])
    return {name: Report(passed[name], failed[name]) for name in ACCEPTED}


def _name(check: dict[str, Any]) -> str:
    """Return the name in ACCEPTED of the document or plan that a check is about."""
    document = Path(check["file_path"]).stem
    _, _, module = check["resource"].partition("module.")
    plans = {"defaults": " by default", "every_option": " with every option"}
    return document + plans.get(module.partition(".")[0], "")


@pytest.mark.parametrize("document", ACCEPTED)
def test_checkov_reports_only_accepted_findings(reports: dict[str, Report], document: str) -> None:
    report = reports[document]
    assert report.passed > 50, "checkov must have run its checks"
    assert set(report.failed) == ACCEPTED[document].keys(), report.failed
