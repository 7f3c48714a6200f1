"""checkov finds nothing in the planned frontend but what is accepted, with its reason, in accepted_findings.py.

checkov pins releases that the tests' own environment cannot share, so it is installed apart (`pipx install checkov`);
without it this is skipped.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infrastructure.accepted_findings import ALWAYS, BY_DEFAULT, WITH_EVERYTHING_ON
from infrastructure.emulator import Emulator
from infrastructure.frontend_root import VARIABLES
from infrastructure.terraform_root import REPOSITORY, TerraformRoot
from requirements_of_tests import require_program

EVERYTHING_ON = {
    "environment": "prod",
    "instances_are_private": True,
    "flow_logs_enabled": True,
    "allowed_cidrs": ["203.0.113.0/24"],
    "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    "domain_name": "shop.example.com",
    "web_acl_arn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/1234abcd-12ab-34cd-56ef-1234567890ab",
    "access_log_bucket": "shop-access-logs",
}


@pytest.fixture(scope="module")
def checkov() -> str:
    return require_program("checkov", "install it apart from the tests, with: pipx install checkov")


@pytest.fixture(scope="module")
def frontend(checkov: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-frontend"
    return TerraformRoot(REPOSITORY / "terraform-frontend", directory, emulator.environment)


def findings(checkov: str, plan: dict[str, Any], directory: Path) -> dict[str, str]:
    """Return what checkov finds in a plan: the resource by the id of the check."""
    (directory / "plan.json").write_text(json.dumps(plan))
    command = [checkov, "--framework", "terraform_plan", "--file", "plan.json", "--output", "json", "--quiet"]
    ran = subprocess.run(
        [*command, "--compact", "--skip-download"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    report = json.loads(ran.stdout)
    assert report["summary"]["passed"] > 50, "it has looked"
    return {found["check_id"]: found["resource"] for found in report["results"]["failed_checks"]}


def test_by_default_only_accepted_findings_are_left(checkov: str, frontend: TerraformRoot, tmp_path: Path) -> None:
    found = findings(checkov, frontend.plan_document(VARIABLES), tmp_path)
    assert set(found) == ALWAYS.keys() | BY_DEFAULT.keys(), found


def test_what_the_variables_turn_on_leaves_no_finding_behind(
    checkov: str, frontend: TerraformRoot, tmp_path: Path
) -> None:
    found = findings(checkov, frontend.plan_document({**VARIABLES, **EVERYTHING_ON}), tmp_path)
    assert set(found) == ALWAYS.keys() | WITH_EVERYTHING_ON.keys(), found
