"""Distribute the tests over processes, and provide the local stack that several folders share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from local_stack import LocalStack, Settings
from local_stack.machine import free_port
from support.chromium import chromium, chromium_options  # noqa: F401

TESTS = Path(__file__).parent

# A shell's background jobs ignore SIGINT and those of nohup SIGHUP, but some tests end programs with these signals.
for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, action)

# Terraform and its provider are written in Go: collecting garbage less often saves processor time and costs memory.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMEMLIMIT", "1GiB")

# Every run uses the same examples. `pytest --hypothesis-profile=explore` generates others.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=5000, deadline=None)
hypothesis.settings.load_profile("repeatable")


# Slow fixtures. Tests that share one run in the same process, one after the other.
SHARED_FIXTURES = ("terraform_stack", "deployed_twice", "emulator", "chromium")

# The slowest groups, then the slowest folders, start first: otherwise one process would end long after the others.
SLOWEST = (
    "infrastructure/test_frontend_apply.py",
    "emulator",
    "deployed_twice",
    "terraform_stack",
    "chromium",
    "e2e/test_readme.py",
)
FOLDERS = ("e2e", "infrastructure", "integration", "browser", "unit")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Assign each test to the process that runs it when pytest-xdist distributes them; order slow groups first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(distribution_group(item)))
    yield

    # The tests of a file stay together, because its fixtures are set up once.
    def place(item: pytest.Item) -> tuple[int, int, str, str]:
        path, group = item.path.relative_to(TESTS), distribution_group(item)
        return (
            SLOWEST.index(group) if group in SLOWEST else len(SLOWEST),
            FOLDERS.index(path.parts[0]) if path.parts[0] in FOLDERS else len(FOLDERS),
            group,
            str(path),
        )

    items.sort(key=place)


def distribution_group(item: pytest.Item) -> str:
    """Return the slow fixture that a test shares with tests of other files, or else its file."""
    fixtures = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    fixtures |= {name for name in getattr(callspec, "params", {}).values() if isinstance(name, str)}
    return next((name for name in SHARED_FIXTURES if name in fixtures), str(item.path.relative_to(TESTS)))


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The running system as `make run` starts it, with IAM enforced."""
    settings = Settings(
        storefront_port=free_port(),
        aws_port=free_port(),
        local_directory=tmp_path_factory.mktemp("local-stack"),
    )
    with LocalStack(settings) as running:
        yield running
