"""The backend's Terraform folder, planned against an emulator: once for all tests that look at the same plan."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.emulator import Emulator, running_emulator
from infrastructure.terraform_root import REPOSITORY, Plan, TerraformRoot
from requirements_of_tests import require_program

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION, os.environ["PATH"]) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def lambda_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that is never run."""
    path = tmp_path_factory.mktemp("package") / "orders.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("orders/__init__.py", "")
    return path


@pytest.fixture(scope="session")
def variables(lambda_zip: Path) -> dict[str, Any]:
    """The variables that a deployment cannot do without."""
    return {"notification_email": "operations@example.com", "lambda_zip_path": str(lambda_zip)}


@pytest.fixture(scope="session")
def backend(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-backend"
    return TerraformRoot(REPOSITORY / "terraform-backend", directory, emulator.environment)


@pytest.fixture(scope="session")
def plan(backend: TerraformRoot, variables: dict[str, Any]) -> Plan:
    """The backend with all defaults."""
    return backend.plan(variables)
