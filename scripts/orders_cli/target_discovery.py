"""Find the system that is meant: the one that options name, or the one that exists."""

import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
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

# The names that the README gives to stacks of the default project.
DEFAULT_STACKS = ("order-processing-dev", "order-processing-staging", "order-processing-prod")

Connect = Callable[..., Any]
"""Creates a client of an AWS service, optionally with a configuration of its own."""

_HEALTH_SECONDS = 5

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    # A person waits, so no adaptive mode. Six tries back off for some 20 s in all.
    retries={"mode": "standard", "total_max_attempts": 6},
)
# For the first call: a wrong endpoint or a missing network is reported within seconds.
_FIRST_CALL = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True)
class Choice:
    local: bool = False
    stack_file: Path | None = None
    terraform: Path | None = None
    stack: str | None = None
    region: str | None = None
    profile: str | None = None


def find_system(choice: Choice) -> System:
    """Return the system that is meant; raise OperatorError if there is none, or no single one.

    Without options: a running local stack, else what Terraform has applied in terraform-backend/, else the one
    CloudFormation stack of the default names. A region or a profile means AWS, so the local stack is skipped.
    """
    is_on_aws = bool(choice.region or choice.profile)
    if choice.terraform:
        if system := _terraform_system(choice.terraform, choice):
            return system
        raise OperatorError(
            f"Terraform has applied nothing in {_shown(choice.terraform)}: run `terraform apply` there, or name "
            "another directory, or a CloudFormation stack with --stack."
        )
    if choice.stack:
        return _named_stack(choice.stack, choice)
    if choice.local or choice.stack_file or (not is_on_aws and STACK_FILE.exists()):
        return local_system(choice.stack_file or STACK_FILE)
    is_initialized = any((TERRAFORM_DIRECTORY / name / "terraform.tfstate").exists() for name in (".", ".terraform"))
    if is_initialized and (system := _terraform_system(TERRAFORM_DIRECTORY, choice)):
        return system
    return _only_default_stack(choice)


def local_system(stack_file: Path) -> System:
    try:
        description: dict[str, str] = json.loads(stack_file.read_text(encoding="utf-8"))
        endpoint_url, region = description["endpoint_url"], description["region"]
        credentials = Credentials(description["access_key_id"], description["secret_access_key"])
    except FileNotFoundError:
        raise OperatorError(
            f"No local stack is running: {_shown(stack_file)} does not exist. Start it with `make run`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"{_shown(stack_file)} does not describe a local stack: start it again with `make run`."
        ) from error
    if not _answers(endpoint_url, credentials.access_key):
        raise OperatorError(
            f"The local stack of {_shown(stack_file)} does not answer at {endpoint_url}: start it with `make run`, or "
            "name another system with --stack, --terraform or --profile."
        )
    connection = AwsConnection(endpoint_url, region, credentials)
    return System(f"the local stack at {endpoint_url}", description, connection.client, is_local=True)


def _answers(endpoint_url: str, access_key_id: str) -> bool:
    # This machine is never behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders.append((KEY_HEADER, access_key_id))
    try:
        with opener.open(f"{endpoint_url}/_ministack/health", timeout=_HEALTH_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _terraform_system(directory: Path, choice: Choice) -> System | None:
    if shutil.which("terraform") is None:
        raise OperatorError(
            f"Terraform is not installed, so the outputs in {_shown(directory)} cannot be read: install it, or name a "
            "CloudFormation stack with --stack."
        )
    try:
        outputs = outputs_of_terraform(directory, choice.profile)
    except TerraformOutputError as error:
        raise OperatorError(
            f"Terraform cannot read its outputs in {_shown(directory)} ({error}): run `terraform output` there to see "
            "why, or name a CloudFormation stack with --stack."
        ) from error
    if not outputs:
        return None
    # An ARN names the region that Terraform has deployed to.
    region = ([*outputs.get("alerts_topic_arn", "").split(":"), "", "", "", ""])[3]
    connect = _connect(choice.profile, choice.region or region or None)
    # Any answer will do, also a refusal.
    with suppress(ClientError):
        connect("sqs", _FIRST_CALL).get_queue_attributes(QueueUrl=outputs.get("orders_queue_url", ""))
    return System(f"what Terraform applied in {_shown(directory)}", outputs, connect)


def _named_stack(name: str, choice: Choice) -> System:
    found, connect, region = _stacks([name], choice)
    if not found:
        raise OperatorError(
            f"There is no CloudFormation stack {name} in {region}: check it for typos, and choose its region and "
            "account with --region and --profile."
        )
    return System(f"the CloudFormation stack {name} in {region}", found[name], connect)


def _only_default_stack(choice: Choice) -> System:
    nothing_here = (
        f"no local stack is running (`make run` starts one), and Terraform has applied nothing in "
        f"{_shown(TERRAFORM_DIRECTORY)}"
    )
    try:
        found, connect, region = _stacks(DEFAULT_STACKS, choice)
    except (NoRegionError, NoCredentialsError) as error:
        raise OperatorError(
            f"No system was found: {nothing_here}. AWS cannot be searched: {sentence_about(error)}"
        ) from error
    if len(found) > 1:
        raise OperatorError(f"There are several systems: choose one, --stack {' or --stack '.join(found)}.")
    if not found:
        raise OperatorError(
            f"No system was found: {nothing_here}; and {region} has no CloudFormation stack "
            f"{', '.join(DEFAULT_STACKS[:-1])} or {DEFAULT_STACKS[-1]}. Name one with --stack or --terraform."
        )
    [(name, outputs)] = found.items()
    return System(f"the CloudFormation stack {name} in {region}", outputs, connect)


def _stacks(names: Sequence[str], choice: Choice) -> tuple[dict[str, dict[str, str]], Connect, str]:
    """Return the outputs of those stacks that exist, what connects to their region, and its name."""
    connect = _connect(choice.profile, choice.region)
    cloudformation = connect("cloudformation", _FIRST_CALL)
    found = {}
    for name in names:
        try:
            found[name] = outputs_of_stack(cloudformation, name)
        except ClientError as error:
            # "Stack with id … does not exist" has no code of its own.
            if error_code(error) != "ValidationError":
                raise
    return found, connect, cloudformation.meta.region_name


def _connect(profile: str | None, region: str | None) -> Connect:
    # boto3 reads AWS_DEFAULT_REGION only; every other AWS tool reads AWS_REGION first.
    session = boto3.session.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None)

    def connect(service: str, config: Config = _CONFIG) -> Any:
        return session.client(service, config=config)

    return connect


def _shown(path: Path) -> str:
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown
