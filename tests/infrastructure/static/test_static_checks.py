"""`terraform validate` of both folders, and shellcheck of the user data that Terraform renders."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.environment import without_user_settings
from support.deployment.frontend import user_data
from support.deployment.terraform import Plan, TerraformRoot
from support.repository.files import REPOSITORY


@pytest.mark.parametrize("folder", ["terraform-backend", "terraform-frontend"])
def test_terraform_validate_reports_no_error_and_no_warning(folder: str, tmp_path: Path) -> None:
    root = TerraformRoot(REPOSITORY / folder, tmp_path / folder, without_user_settings())
    assert root.validation_diagnostics() == []


def test_user_data_passes_shellcheck(frontend_plan: Plan, frontend_production_plan: Plan, tmp_path: Path) -> None:
    shellcheck = str(Path(sys.executable).with_name("shellcheck"))
    for number, plan in enumerate((frontend_plan, frontend_production_plan)):
        script = tmp_path / f"user-data-{number}"
        script.write_text(user_data(plan))
        ran = subprocess.run([shellcheck, "--norc", str(script)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
