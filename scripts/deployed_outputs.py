"""The outputs of a deployment, by the names in terraform-backend/outputs.tf."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_TERRAFORM_SECONDS = 120  # the state may be in S3


class TerraformOutputError(Exception):
    """Terraform cannot read the outputs; the text is the reason, without a period."""


def outputs_of_terraform(directory: Path, profile: str | None = None) -> dict[str, str]:
    """Return the outputs of a Terraform folder; none before the first apply.

    `profile` selects the AWS credentials for a state in S3. Raises TerraformOutputError.
    """
    environment = {**os.environ, "TF_IN_AUTOMATION": "true", "TF_INPUT": "false", "CHECKPOINT_DISABLE": "true"}
    if profile:
        environment["AWS_PROFILE"] = profile
    try:
        ran = subprocess.run(
            ["terraform", "output", "-json", "-no-color"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TERRAFORM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TerraformOutputError(f"it could not be run, {type(error).__name__}") from error
    if ran.returncode != 0:
        reasons = (line.strip("│╷╵ ") for line in ran.stderr.splitlines() if "Error" in line)
        raise TerraformOutputError(next(reasons, "no reason given"))
    return {name: str(output["value"]) for name, output in json.loads(ran.stdout or "{}").items()}


def outputs_of_stack(cloudformation: Any, name: str) -> dict[str, str]:
    """Return the outputs of a CloudFormation stack; `cloudformation` is a boto3 client."""
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return snake_case_outputs(stack.get("Outputs", []))


def snake_case_outputs(outputs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the outputs that CloudFormation describes, by Terraform's names."""
    return {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output["OutputKey"]).lower(): output["OutputValue"] for output in outputs
    }
