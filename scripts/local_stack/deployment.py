"""The ways to deploy the backend to the emulator."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from local_stack.cloudformation import CloudFormationDeployment
from local_stack.errors import LocalStackError
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import Settings
from local_stack.terraform import TerraformDeployment


class Deployment(Protocol):
    """The backend, deployed in one way; what it keeps for itself is in a directory of its own."""

    directory: Path
    """Where it keeps its own files."""

    def require_tools(self) -> None:
        """Raise LocalStackError unless the machine has what this way needs."""

    def agree_with(self, emulator_directory: Path, report: Report) -> None:
        """Before the emulator starts: mend what an interrupted run has left, here or in its directory."""

    def deploy(self, zip_path: Path, report: Report) -> Mapping[str, str]:
        """Create the backend, or bring it up to date; return its outputs."""

    def destroy(self, report: Report) -> None:
        """Delete the backend."""


WayToDeploy = Callable[[Settings, Path, RunLock], Deployment]
"""Makes a deployment by these settings, which keeps its own files in this directory."""

WAYS_TO_DEPLOY: Mapping[str, WayToDeploy] = {
    "cloudformation": CloudFormationDeployment,
    "terraform": TerraformDeployment,
}


def way_to_deploy(name: str) -> WayToDeploy:
    """Return the way to deploy of this name; raise LocalStackError if there is none."""
    try:
        return WAYS_TO_DEPLOY[name]
    except KeyError:
        raise LocalStackError(
            f"DEPLOY={name} is not a way to deploy: choose {' or '.join(sorted(WAYS_TO_DEPLOY))}."
        ) from None
