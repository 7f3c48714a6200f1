"""What tests of different kinds share: the whole system on this machine, started once for all of them."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest

from local_stack import LocalStack, Settings
from local_stack.ports import free_port
from requirements_of_tests import tell_what_is_missing

# What a shell starts in the background is deaf to Ctrl-C, and so would be all that these tests start and end by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run, so that what fails is the change and not bad luck; to look further,
# `pytest --hypothesis-profile=explore`. What time may pass is the business of tests that measure it.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=5000, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tell_what_is_missing(terminalreporter)


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
