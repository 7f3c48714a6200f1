"""`terraform validate` of both folders, and shellcheck of the user data that Terraform renders."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infrastructure.test_checkov import FRONTEND_WITH_EVERYTHING_ON
from support.deployment.emulator import Emulator
from support.deployment.frontend import VARIABLES, user_data
from support.deployment.terraform import TerraformRoot
from support.repository.files import REPOSITORY


def copy_of(folder: str, emulator: Emulator, directory: Path) -> TerraformRoot:
    return TerraformRoot(REPOSITORY / folder, directory / folder, emulator.environment)


@pytest.mark.parametrize("folder", ["terraform-backend", "terraform-frontend"])
def test_terraform_validate_reports_no_error_and_no_warning(folder: str, emulator: Emulator, tmp_path: Path) -> None:
    assert copy_of(folder, emulator, tmp_path).validation_diagnostics() == []


def test_user_data_passes_shellcheck(emulator: Emulator, tmp_path: Path) -> None:
    frontend = copy_of("terraform-frontend", emulator, tmp_path)
    everything: dict[str, Any] = {**VARIABLES, **FRONTEND_WITH_EVERYTHING_ON}
    for number, variables in enumerate((VARIABLES, everything)):
        script = tmp_path / f"user-data-{number}"
        script.write_text(user_data(frontend.plan(variables)))
        command = [str(Path(sys.executable).with_name("shellcheck")), "--norc", str(script)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
