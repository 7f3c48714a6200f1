"""Warnings of `terraform plan`, and shellcheck of the user data that Terraform renders."""

import subprocess
import sys
from pathlib import Path

from support.deployment.frontend import user_data
from support.deployment.terraform import Plan


def test_terraform_reports_no_warning(plan: Plan, frontend_plan: Plan) -> None:
    assert plan.warnings == ()
    assert {each.partition(":")[0] for each in frontend_plan.warnings} == {"Check block assertion failed"}


def test_user_data_passes_shellcheck(frontend_plan: Plan, frontend_production_plan: Plan, tmp_path: Path) -> None:
    shellcheck = str(Path(sys.executable).with_name("shellcheck"))
    for number, plan in enumerate((frontend_plan, frontend_production_plan)):
        script = tmp_path / f"user-data-{number}"
        script.write_text(user_data(plan))
        ran = subprocess.run([shellcheck, "--norc", str(script)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
