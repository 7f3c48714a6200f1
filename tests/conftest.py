"""What tests of different kinds share: the whole system on this machine, started once for all of them."""

from collections.abc import Iterator

import pytest

from free_ports import free_port
from local_stack import LocalStack, Settings


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The running system as `make run` starts it: real zip, real deployment, IAM enforced, storefront served."""
    settings = Settings(
        storefront_port=free_port(),
        aws_port=free_port(),
        local_directory=tmp_path_factory.mktemp("local-stack"),
    )
    with LocalStack(settings) as running:
        yield running
