"""checkov reports only the findings in accepted_findings.py.

checkov pins dependencies that conflict with those of the tests, so install it separately: `pipx install checkov`.
"""

import json
import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from infrastructure.static.accepted_findings import ACCEPTED
from support.deployment.terraform import Plan
from support.prerequisites import require_program
from support.repository.cloudformation import TEMPLATE


@pytest.fixture(scope="module")
def findings(plan: Plan, frontend_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The IDs of the failed checks by document, as in ACCEPTED."""
    checkov = require_program("checkov", "install it separately with: pipx install checkov")
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
    failed: defaultdict[str, set[str]] = defaultdict(set)
    for part in json.loads(ran.stdout):
        assert part["results"]["parsing_errors"] == []
        for check in part["results"]["failed_checks"]:
            failed[_name(check)].add(check["check_id"])
    return failed


def _name(check: dict[str, Any]) -> str:
    """Return the document or the plan that a check is about, as in ACCEPTED."""
    document = Path(check["file_path"]).stem
    _, _, module = check["resource"].partition("module.")
    plans = {"defaults": " by default", "every_option": " with every option"}
    return document + plans.get(module.partition(".")[0], "")


@pytest.mark.parametrize("document", ACCEPTED)
def test_checkov_reports_only_accepted_findings(findings: dict[str, set[str]], document: str) -> None:
    assert findings[document] == ACCEPTED[document].keys()
