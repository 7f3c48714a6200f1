"""Find the system that a command uses, with its resources and clients."""

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deployed_outputs import TerraformOutputError, outputs_of_stack, outputs_of_terraform
from local_stack.aws import AwsConnection, Credentials
from local_stack.settings import REPOSITORY
from orders_cli.console import report
from orders_cli.errors import OperatorError, error_code
from orders_cli.log import EventLog
from orders_cli.queue import Queue
from orders_cli.table import OrdersTable

STACK_FILE = REPOSITORY / ".local" / "stack.json"
TERRAFORM_DIRECTORY = REPOSITORY / "terraform-backend"

_NEEDED_OUTPUTS = {"api_endpoint", "orders_table_name", "orders_queue_url", "orders_dlq_url", "notifications_dlq_url"}

# On the local stack these are ignored.
_USER_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN")

# A person is waiting, so a wrong endpoint must fail within seconds.
_RETRIES: Any = {"mode": "standard", "total_max_attempts": 4}
_CONFIG = Config(connect_timeout=3, read_timeout=60, max_pool_connections=32, retries=_RETRIES)


@dataclass(frozen=True)
class System:
    origin: str
    """Where the system was found, for messages."""
    outputs: Mapping[str, str]
    """By the names of terraform-backend/outputs.tf."""
    client: Callable[[str], Any]
    """Returns the client of an AWS service."""
    is_local: bool = False

    def __post_init__(self) -> None:
        if missing := ", ".join(sorted(_NEEDED_OUTPUTS - self.outputs.keys())):
            advice = "Name another system with --stack or --terraform."
            raise OperatorError(f"The outputs of {self.origin} do not include {missing}. {advice}")

    @property
    def name(self) -> str:
        return self.outputs["orders_table_name"].removesuffix("-orders")

    def question_in_production(self, action: str) -> str | None:
        return f"This is {self.name}. {action}?" if self.name.endswith("-prod") else None

    @property
    def metrics_namespace(self) -> str:
        return "/".join(self.name.rsplit("-", maxsplit=1))

    def function_name(self, function: str) -> str:
        return f"{self.name}-{function}"

    def queue(self, output: str) -> Queue:
        return Queue(self.client("sqs"), self.outputs[f"{output}_url"])

    @property
    def table(self) -> OrdersTable:
        return OrdersTable(self.client("dynamodb"), self.outputs["orders_table_name"])

    @property
    def log(self) -> EventLog:
        return EventLog(self.client("logs"), f"/aws/lambda/{self.name}-")

    @property
    def dashboard_url(self) -> str | None:
        if self.is_local or "dashboard_name" not in self.outputs:
            return None
        region = self.client("cloudwatch").meta.region_name
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        return f"{console}#dashboards/dashboard/{self.outputs['dashboard_name']}"


@dataclass(frozen=True)
class Target:
    """The options that select a system."""

    local: bool = False
    stack_file: Path | None = None
    terraform: Path | None = None
    stack: str | None = None
    region: str | None = None
    profile: str | None = None

    def find(self) -> System:
        """Find and report the selected system. Commands check their own options first.

        The default is the local stack, or else the system that Terraform applied in terraform-backend/. A region or a
        profile means AWS, so the local stack is skipped.
        """
        is_on_aws = self.terraform or self.region or self.profile
        if self.stack:
            system = _stack_system(self.stack, self)
        elif self.local or self.stack_file or (STACK_FILE.exists() and not is_on_aws):
            system = _local_system(self.stack_file or STACK_FILE)
        else:
            system = _terraform_system(self.terraform or TERRAFORM_DIRECTORY, self)
        report(f"using {system.name}, {system.origin}")
        for name in _USER_VARIABLES:
            if system.is_local and os.environ.get(name):
                report(f"{name} is ignored: this is the local stack")
        return system


def _local_system(stack_file: Path) -> System:
    try:
        description: dict[str, str] = json.loads(stack_file.read_text(encoding="utf-8"))
        credentials = Credentials(description["access_key_id"], description["secret_access_key"])
        connection = AwsConnection(description["endpoint_url"], description["region"], credentials)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"{stack_file} is missing or invalid: start a local stack with `make run`.") from error
    origin = f"the local stack at {connection.endpoint_url}"
    return System(origin, description, _clients(connection.client), is_local=True)


def _terraform_system(directory: Path, target: Target) -> System:
    instead = "or name another directory with --terraform, or a CloudFormation stack with --stack"
    try:
        outputs = outputs_of_terraform(directory, target.profile)
    except TerraformOutputError as error:
        raise OperatorError(
            f"Terraform cannot read its outputs in {directory} ({error}): run `terraform output` there, {instead}."
        ) from error
    if not outputs:
        raise OperatorError(f"Terraform has applied nothing in {directory}: apply it, use `make run`, {instead}.")
    # An ARN names the region that Terraform has deployed to.
    arn = outputs.get("alerts_topic_arn", "").split(":")
    connect = _connect(target.profile, target.region or (arn[3] if len(arn) > 3 else None))
    return System(f"the Terraform deployment of {directory}", outputs, connect)


def _stack_system(name: str, target: Target) -> System:
    connect = _connect(target.profile, target.region)
    cloudformation = connect("cloudformation")
    region = cloudformation.meta.region_name
    try:
        outputs = outputs_of_stack(cloudformation, name)
    except ClientError as error:
        # "Stack with id … does not exist" has no code of its own.
        if error_code(error) != "ValidationError":
            raise
        raise OperatorError(
            f"The CloudFormation stack {name} does not exist in {region}: check its name, --region and --profile."
        ) from error
    return System(f"the CloudFormation stack {name} in {region}", outputs, connect)


def _connect(profile: str | None, region: str | None) -> Callable[[str], Any]:
    # boto3 reads AWS_DEFAULT_REGION only; every other AWS tool reads AWS_REGION first.
    session = boto3.session.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None)
    return _clients(lambda service: session.client(service, config=_CONFIG))


def _clients(create: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `create` with a cache; raise OperatorError if the endpoint or region is invalid."""

    @functools.cache
    def client(service: str) -> Any:
        try:
            created = create(service)
            # botocore checks the port only when it connects.
            _ = urlsplit(created.meta.endpoint_url).port
        except ValueError as error:
            text = str(error).rstrip(".")
            raise OperatorError(f"{text}: check AWS_ENDPOINT_URL, the region and the stack file.") from error
        return created

    return client
