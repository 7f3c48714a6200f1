"""Finding the system that is meant: named by options, or the one that is there."""

import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

from deployed_outputs import TerraformOutputError, outputs_of_stack, outputs_of_terraform
from local_stack.aws import KEY_HEADER, AwsConnection, Credentials
from local_stack.settings import REPOSITORY
from orders_cli.errors import OperatorError, error_code, sentence_about
from orders_cli.system import System

STACK_FILE = REPOSITORY / ".local" / "stack.json"
TERRAFORM_DIRECTORY = REPOSITORY / "terraform-backend"

# The default project in each stage: what cloudformation/order-processing.yaml is called in the README.
DEFAULT_STACKS = ("order-processing-dev", "order-processing-staging", "order-processing-prod")

Connect = Callable[[str], Any]
"""Makes a client of an AWS service."""

_HEALTH_SECONDS = 5

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    # Adaptive would slow itself down; a person waits. Six tries back off for some 20 s in all.
    retries={"mode": "standard", "total_max_attempts": 6},
)


@dataclass(frozen=True)
class Choice:
    """What the person said about the system; None and False where nothing was said."""

    local: bool = False
    stack_file: Path | None = None
    terraform: Path | None = None
    stack: str | None = None
    region: str | None = None
    profile: str | None = None


def find_system(choice: Choice) -> System:
    """Return the system that is meant; raise OperatorError if there is none, or no single one.

    Without a word about it: a running local stack, else what Terraform has applied in terraform-backend/, else the
    one CloudFormation stack of the default names. A region or a profile means AWS, so the local stack is passed over.
    """
    if choice.local or choice.stack_file:
        return local_system(choice.stack_file or STACK_FILE)
    if choice.terraform:
        return _terraform_system(choice.terraform, choice)
    if choice.stack:
        return _stack_system(choice.stack, choice)
    if not choice.region and not choice.profile and STACK_FILE.exists():
        return local_system(STACK_FILE)
    if _is_initialized(TERRAFORM_DIRECTORY) and (outputs := _terraform_outputs(TERRAFORM_DIRECTORY, choice)):
        return _system_of_terraform(TERRAFORM_DIRECTORY, outputs, choice)
    return _only_default_stack(choice)


# The local stack


def local_system(stack_file: Path) -> System:
    """Return the running local stack that `stack_file` describes.

    Its credentials are the local stack's own, whatever AWS_PROFILE and the like say.
    """
    try:
        description: dict[str, str] = json.loads(stack_file.read_text(encoding="utf-8"))
        endpoint_url, region = description["endpoint_url"], description["region"]
        credentials = Credentials(description["access_key_id"], description["secret_access_key"])
    except FileNotFoundError:
        raise OperatorError(
            f"No local stack is running: {_shown(stack_file)} is not there. Start it with `make run`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"{_shown(stack_file)} does not describe a local stack: start it anew with `make run`."
        ) from error
    if not _answers(endpoint_url, credentials.access_key):
        raise OperatorError(
            f"The local stack of {_shown(stack_file)} does not answer at {endpoint_url}: start it with `make run`, or "
            "name another system with --stack, --terraform or --profile."
        )
    connection = AwsConnection(endpoint_url, region, credentials)
    return System(f"the local stack at {endpoint_url}", description, connection.client, is_local=True)


def _answers(endpoint_url: str, access_key_id: str) -> bool:
    # Without the proxies of the environment: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders.append((KEY_HEADER, access_key_id))
    try:
        with opener.open(f"{endpoint_url}/_ministack/health", timeout=_HEALTH_SECONDS):
            return True
    except (OSError, ValueError):
        return False


# Terraform


def _terraform_system(directory: Path, choice: Choice) -> System:
    outputs = _terraform_outputs(directory, choice)
    if not outputs:
        raise OperatorError(
            f"Terraform has applied nothing in {_shown(directory)}: run `terraform apply` there, or name another "
            "directory, or a CloudFormation stack with --stack."
        )
    return _system_of_terraform(directory, outputs, choice)


def _system_of_terraform(directory: Path, outputs: Mapping[str, str], choice: Choice) -> System:
    # An ARN names the region that Terraform has deployed to, whatever the person's own default is.
    region = choice.region or _region_of(outputs.get("alerts_topic_arn", ""))
    return System(f"what Terraform applied in {_shown(directory)}", outputs, _connect(choice.profile, region))


def _terraform_outputs(directory: Path, choice: Choice) -> dict[str, str]:
    if shutil.which("terraform") is None:
        raise OperatorError(
            f"Terraform is not installed, so the outputs in {_shown(directory)} cannot be read: install it, or name a "
            "CloudFormation stack with --stack."
        )
    try:
        return outputs_of_terraform(directory, choice.profile)
    except TerraformOutputError as error:
        raise OperatorError(
            f"Terraform cannot tell its outputs in {_shown(directory)} ({error}): run `terraform output` there to see "
            "why, or name a CloudFormation stack with --stack."
        ) from error


def _is_initialized(directory: Path) -> bool:
    return (directory / "terraform.tfstate").exists() or (directory / ".terraform" / "terraform.tfstate").exists()


# CloudFormation


def _stack_system(name: str, choice: Choice) -> System:
    connect = _connect(choice.profile, choice.region)
    cloudformation = connect("cloudformation")
    outputs = _stack_outputs(cloudformation, name)
    if outputs is None:
        raise OperatorError(
            f"There is no CloudFormation stack {name} in {cloudformation.meta.region_name}: look for typos, and choose "
            "its region and account with --region and --profile."
        )
    return _system_of_stack(name, outputs, cloudformation, connect)


def _only_default_stack(choice: Choice) -> System:
    connect = _connect(choice.profile, choice.region)
    try:
        cloudformation = connect("cloudformation")
        found = {name: outputs for name in DEFAULT_STACKS if (outputs := _stack_outputs(cloudformation, name))}
    except (NoRegionError, NoCredentialsError) as error:
        raise OperatorError(
            "No system was found here: no local stack runs (`make run` starts one), and Terraform has applied nothing "
            f"in {_shown(TERRAFORM_DIRECTORY)}. On AWS it cannot be looked for: {sentence_about(error)}"
        ) from error
    if len(found) > 1:
        raise OperatorError(f"There are several systems: choose one, --stack {' or --stack '.join(found)}.")
    if not found:
        raise OperatorError(
            f"No system was found: no local stack runs here, Terraform has applied nothing in "
            f"{_shown(TERRAFORM_DIRECTORY)}, and {cloudformation.meta.region_name} has no CloudFormation stack "
            f"{', '.join(DEFAULT_STACKS[:-1])} or {DEFAULT_STACKS[-1]}. Start one with `make run`, or name it with "
            "--stack or --terraform."
        )
    [(name, outputs)] = found.items()
    return _system_of_stack(name, outputs, cloudformation, connect)


def _system_of_stack(name: str, outputs: Mapping[str, str], cloudformation: Any, connect: Connect) -> System:
    return System(f"the CloudFormation stack {name} in {cloudformation.meta.region_name}", outputs, connect)


def _stack_outputs(cloudformation: Any, name: str) -> dict[str, str] | None:
    try:
        return outputs_of_stack(cloudformation, name)
    except ClientError as error:
        # "Stack with id … does not exist" has no code of its own.
        if error_code(error) == "ValidationError":
            return None
        raise


def _connect(profile: str | None, region: str | None) -> Connect:
    session = boto3.session.Session(profile_name=profile, region_name=region)
    return partial(session.client, config=_CONFIG)


def _region_of(arn: str) -> str | None:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 and parts[3] else None


def _shown(path: Path) -> str:
    """Return a path as a person here would write it."""
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown
