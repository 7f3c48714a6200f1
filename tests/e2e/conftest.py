"""The stacks of the end-to-end tests, deployed by CloudFormation and by Terraform, with the real zip and IAM enforced."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

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


@pytest.fixture(scope="session", params=["cloudformation", "terraform"])
def stack(request: pytest.FixtureRequest) -> DeployedStack:
    """The stack, once per deployment tool: each test that uses it runs against both."""
    deployed_by = {"cloudformation": "local_stack", "terraform": "terraform_stack"}
    return DeployedStack(request.getfixturevalue(deployed_by[request.param]))


@pytest.fixture(scope="session")
def one_stack(local_stack: LocalStack) -> DeployedStack:
    """The stack deployed by CloudFormation, for behavior that does not depend on the deployment tool."""
    return DeployedStack(local_stack)


@pytest.fixture
def announcements(stack: DeployedStack) -> Iterator[Callable[[], list[Any]]]:
    """Return a function that reads the orders announced since its last call."""
    with stack.subscribed_queue(stack.outputs["order_completed_topic_arn"], f"test-{uuid.uuid4().hex}") as read:
        yield lambda: [json.loads(message["Message"]) for message in read()]
