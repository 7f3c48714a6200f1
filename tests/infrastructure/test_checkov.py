"""checkov finds nothing in either deployment of the backend, nor in the frontend, but what is accepted with a reason.

The reasons are in accepted_findings.py. checkov pins releases that the tests' own environment cannot share, so it is
installed apart (`pipx install checkov`); without it this is skipped.
"""

import json
import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infrastructure.accepted_findings import ACCEPTED, BACKEND_BY_DEFAULT, FRONTEND_BY_DEFAULT
from support.deployment.emulator import Emulator
from support.deployment.frontend import VARIABLES
from support.deployment.terraform import Plan, TerraformRoot
from support.prerequisites import require_program
from support.repository.cloudformation import TEMPLATE
from support.repository.files import REPOSITORY

FRONTEND_WITH_EVERYTHING_ON = {
    "environment": "prod",
    "repository_ref": "1a2b3c4d" * 5,
    "instances_are_private": True,
    "flow_logs_enabled": True,
    "allowed_cidrs": ["203.0.113.0/24"],
    "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    "domain_name": "shop.example.com",
    "web_acl_arn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/1234abcd-12ab-34cd-56ef-1234567890ab",
    "access_log_bucket": "shop-access-logs",
}


@dataclass(frozen=True)
class Report:
    """What checkov says of one document."""

    passed: int
    failed: dict[str, list[str]]
    """The resources by the id of the check."""


@pytest.fixture(scope="session")
def checkov() -> str:
    return require_program("checkov", "install it apart from the tests, with: pipx install checkov")


@pytest.fixture(scope="module")
def frontend(checkov: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-frontend"
    return TerraformRoot(REPOSITORY / "terraform-frontend", directory, emulator.environment)


@pytest.fixture(scope="module")
def reports(
    checkov: str,
    plan: Plan,
    production_plan: Plan,
    frontend: TerraformRoot,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Report]:
    """What checkov says of all that is looked at, by its name in ACCEPTED."""
    directory = tmp_path_factory.mktemp("checkov")
    for name, each in {
        "terraform-backend by default": plan,
        "terraform-backend with everything on": production_plan,
        "terraform-frontend by default": frontend.plan(VARIABLES),
        "terraform-frontend with everything on": frontend.plan({**VARIABLES, **FRONTEND_WITH_EVERYTHING_ON}),
    }.items():
        (directory / f"{name}.json").write_text(json.dumps(each.document))
    shutil.copy(TEMPLATE, directory / "cloudformation.yaml")
    return _looked_over(checkov, directory)


def _looked_over(checkov: str, directory: Path) -> dict[str, Report]:
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
        passed.update(_document(check) for check in part["results"]["passed_checks"])
        for check in part["results"]["failed_checks"]:
            failed[_document(check)].setdefault(check["check_id"], []).append(check["resource"])
    return {name: Report(passed[name], failed[name]) for name in ACCEPTED}


def _document(check: dict[str, Any]) -> str:
    return Path(check["file_path"]).stem


@pytest.mark.parametrize("document", ACCEPTED)
def test_only_accepted_findings_are_left(reports: dict[str, Report], document: str) -> None:
    report = reports[document]
    assert report.passed > 50, "it has looked"
    assert set(report.failed) == ACCEPTED[document].keys(), report.failed


@pytest.mark.parametrize(
    ("folder", "reasons"),
    [("terraform-frontend", FRONTEND_BY_DEFAULT), ("terraform-backend", BACKEND_BY_DEFAULT)],
)
def test_a_finding_that_can_be_remedied_names_the_variable(folder: str, reasons: dict[str, str]) -> None:
    variables = re.findall(r'(?m)^variable "(\w+)"', (REPOSITORY / folder / "variables.tf").read_text())
    for check, reason in reasons.items():
        assert re.search(rf": ({'|'.join(variables)})\b", reason), check
