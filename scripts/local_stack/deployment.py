"""Deploy the backend to the emulator: build the Lambda package, select the tool, and recover its state."""

import shutil
from datetime import datetime
from pathlib import Path

from build_lambda import BuildError, build
from local_stack.cloudformation import CloudFormationDeployment
from local_stack.machine import LocalStackError, RunLock
from local_stack.report import Report
from local_stack.settings import Settings
from local_stack.terraform import TerraformDeployment

DEPLOYMENTS: dict[str, type[CloudFormationDeployment | TerraformDeployment]] = {
    "cloudformation": CloudFormationDeployment,
    "terraform": TerraformDeployment,
}


def built_package(report: Report) -> Path:
    """Build the Lambda zip for this machine if its inputs have changed; return its path."""
    try:
        # Skip the indented lines, which are hashes.
        return build("local", report=lambda line: None if line.startswith(" ") else report.line(f"  {line}"))
    except BuildError as error:
        raise LocalStackError(f"The Lambda package could not be built: {error}.") from error


def deployment_by(settings: Settings, directory: Path, lock: RunLock) -> CloudFormationDeployment | TerraformDeployment:
    """Return the deployment that the settings select; raise LocalStackError if it or its tool does not exist."""
    if settings.deploy not in DEPLOYMENTS:
        names = " or ".join(sorted(DEPLOYMENTS))
        raise LocalStackError(f"DEPLOY={settings.deploy} is not a deployment tool: choose {names}.")
    return DEPLOYMENTS[settings.deploy](settings, directory, lock)


def completion_mark(home: Path) -> Path:
    """Return the file that exists once the backend has been deployed completely."""
    return home / "deployment" / "completed"


def reconcile(home: Path, report: Report) -> None:
    """Delete the state of the emulator and of the deployment unless both are complete.

    The emulator's data is moved aside if only Terraform's state is missing, because it holds orders.
    """
    completed, emulator, deployment = completion_mark(home), home / "emulator", home / "deployment"
    if completed.exists():
        if not any((emulator / "state").glob("*.json")):
            report.line("  The emulator has lost its state (was it killed?), so a new backend is created.")
        elif (deployment / "main.tf").exists() and not (deployment / "terraform.tfstate").exists():
            kept = emulator.rename(emulator.with_name(f"emulator-{datetime.now():%Y%m%d-%H%M%S}"))
            report.line(f"  Terraform's state is missing, so a new backend is created; the orders are kept in {kept}.")
        else:
            return
    # The emulator keeps S3's files even without its state. No order can be lost before the first complete deployment.
    for directory in (emulator, deployment):
        shutil.rmtree(directory, ignore_errors=True)
    completed.parent.mkdir(parents=True)
