"""The ways to deploy the backend to the emulator, and what each finds after an interrupted run."""

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from local_stack.cloudformation import CloudFormationDeployment
from local_stack.errors import LocalStackError
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import Settings
from local_stack.terraform import TerraformDeployment


class Deployment(Protocol):
    """The backend, deployed in one way."""

    directory: Path
    """The directory of its own files."""

    @property
    def lost_state(self) -> bool:
        """Whether its own state is missing although it has been deployed."""

    def require_tools(self) -> None:
        """Raise LocalStackError unless the machine has the tools for this way."""

    def forget(self) -> None:
        """Delete its own state, before an emulator that is empty."""

    def deploy(self, zip_path: Path, report: Report) -> Mapping[str, str]:
        """Create the backend, or bring it up to date; return its outputs."""

    def destroy(self, report: Report) -> None:
        """Delete the backend."""


WAYS_TO_DEPLOY: Mapping[str, Callable[[Settings, Path, RunLock], Deployment]] = {
    "cloudformation": CloudFormationDeployment,
    "terraform": TerraformDeployment,
}


def deployment_by(settings: Settings, directory: Path, lock: RunLock) -> Deployment:
    """Return the deployment that the settings choose; raise LocalStackError if there is no such way."""
    if settings.deploy not in WAYS_TO_DEPLOY:
        raise LocalStackError(
            f"DEPLOY={settings.deploy} is not a way to deploy: choose {' or '.join(sorted(WAYS_TO_DEPLOY))}."
        )
    return WAYS_TO_DEPLOY[settings.deploy](settings, directory, lock)


def completion_mark(deployment: Deployment) -> Path:
    """Return the file that exists once the backend has been deployed completely."""
    return deployment.directory / "completed"


def reconcile(deployment: Deployment, emulator_directory: Path, report: Report) -> None:
    """Before the emulator starts, leave it and the deployment either with states that fit or with none."""
    completed = completion_mark(deployment)
    if completed.exists() and any((emulator_directory / "state").glob("*.json")):
        if not deployment.lost_state:
            return
        kept = emulator_directory.with_name(f"emulator-{datetime.now():%Y%m%d-%H%M%S}")
        emulator_directory.rename(kept)
        report.line(f"  Terraform's state is missing, so a new backend is created; the former data is in {kept}.")
    elif completed.exists():
        report.line("  The emulator has lost its state (was it killed?), so a new backend is created.")
    # Files of S3 survive without the state. Before the first complete deployment nobody can have placed an order.
    shutil.rmtree(emulator_directory, ignore_errors=True)
    deployment.forget()
    deployment.directory.mkdir(parents=True, exist_ok=True)
    completed.unlink(missing_ok=True)
