"""The stacks of the end-to-end tests, with the real zip and IAM enforced."""

from collections.abc import Iterator

import pytest

from local_stack import LocalStack, Settings
from local_stack.machine import free_port
from support.deployment.stack import DeployedStack
from support.prerequisites import require_program


@pytest.fixture(scope="session")
def terraform_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    require_program("terraform", "install Terraform 1.9 or newer to run the end-to-end tests against it")
    settings = Settings(
        storefront_port=free_port(),
        aws_port=free_port(),
        deploy="terraform",
        local_directory=tmp_path_factory.mktemp("terraform-stack"),
    )
    with LocalStack(settings) as running:
        yield running


@pytest.fixture(scope="session")
def stack(local_stack: LocalStack) -> DeployedStack:
    """The stack deployed by CloudFormation. Terraform's is equal (test_parity.py)."""
    return DeployedStack(local_stack)
