"""`make smoke`: checks of a deployment on AWS. Not collected by `make test`."""

import os
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from smoke.system import NoSystemError, System, find_system

collect_ignore_glob = [] if os.environ.get("SMOKE") == "yes" else ["test_*.py"]

EFFECTS = {
    "orders": "places orders of the customer smoke-test, which stay in the table and are announced by e-mail",
    "alarms": "raises an alarm, which sends an e-mail to the on-call engineer",
    "load": "sends a burst of requests, which other customers may notice",
}


@pytest.fixture(scope="session")
def system() -> System:
    """The deployment that STACK or TERRAFORM names; the run ends if there is none."""
    try:
        system = find_system(os.environ)
    except NoSystemError as error:
        pytest.exit(f"make smoke: {error}.", returncode=2)
    account = system.client("sts").get_caller_identity()["Account"]
    print(f"{system.prefix} in account {account}, {boto3.session.Session().region_name}")
    return system


@pytest.fixture(autouse=True)
def require_permission(request: pytest.FixtureRequest) -> None:
    """Skip a test that writes unless SMOKE_WRITE allows its effect."""
    marker = request.node.get_closest_marker("writes")
    effect = marker.args[0] if marker else None
    if effect and effect not in os.environ.get("SMOKE_WRITE", "").split(","):
        pytest.skip(f"it {EFFECTS[effect]}; allow it with SMOKE_WRITE={effect}")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """Skip a test if AWS rejects its call or does not respond, because the result is unknown."""
    try:
        return (yield)
    except ClientError as error:
        pytest.skip(f"{error.operation_name} was rejected with {error.response['Error']['Code']}")
    except (BotoCoreError, OSError) as error:
        pytest.skip(f"there was no response ({type(error).__name__})")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "writes(effect): needs SMOKE_WRITE to allow the effect")
