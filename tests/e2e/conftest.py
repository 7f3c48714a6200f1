"""The deployed stack, once for all end-to-end tests: emulator with IAM enforced, real zip, real deployment."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployed_stack import DeployedStack
from free_ports import free_port
from local_stack import LocalStack, Settings
from requirements_of_tests import require_program


@pytest.fixture(scope="session", params=["cloudformation", "terraform"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedStack]:
    """The stack, deployed in each way; every test that asks for it runs against both."""
    deploy: str = request.param
    if deploy == "terraform":
        require_program("terraform", "install Terraform 1.9 or newer to run the end-to-end tests against it")
    directory: Path = tmp_path_factory.mktemp("local-stack")
    settings = Settings(storefront_port=free_port(), aws_port=free_port(), deploy=deploy, local_directory=directory)
    with LocalStack(settings) as local:
        yield DeployedStack(local)


@pytest.fixture
def raw_announcements(stack: DeployedStack) -> Iterator[Callable[[], list[Any]]]:
    """Return a function that reads what was published on order-completed since it was last called."""
    with stack.subscribed_queue(stack.outputs["order_completed_topic_arn"], f"test-{uuid.uuid4().hex}") as read:
        yield read


@pytest.fixture
def announcements(raw_announcements: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    """Return the same as JSON documents of orders."""
    return lambda: [json.loads(message["Message"]) for message in raw_announcements()]
