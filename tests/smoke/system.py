"""The deployment under test."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deployed_outputs import TerraformOutputError, outputs_of_stack, outputs_of_terraform
from support.deployment.api import DeployedApi
from support.repository.files import REPOSITORY

FUNCTIONS = ("submission", "processing", "status", "notification")
QUEUES = ("orders_queue_url", "orders_dlq_url", "notifications_dlq_url")
DAY = timedelta(days=1)


class NoSystemError(Exception):
    """The deployment to check was not found; the text is the reason, without a period."""


@dataclass(frozen=True)
class System:
    """A deployed system, by the names of its Terraform outputs. boto3 finds region, credentials and endpoint."""

    outputs: Mapping[str, str]

    @property
    def prefix(self) -> str:
        """The first part of every name: project and environment."""
        return self.outputs["dashboard_name"]

    @property
    def environment(self) -> str:
        return self.prefix.rpartition("-")[2]

    @property
    def is_emulated(self) -> bool:
        return "AWS_ENDPOINT_URL" in os.environ

    @property
    def api(self) -> DeployedApi:
        return DeployedApi(self.outputs["api_endpoint"])

    @property
    def api_id(self) -> str:
        apis = self.all("apigatewayv2", "get_apis", "Items")
        [api_id] = [api["ApiId"] for api in apis if api["Name"] == f"{self.prefix}-orders"]
        return str(api_id)

    @property
    def access_log(self) -> str:
        return f"/aws/vendedlogs/apigateway/{self.prefix}-orders"

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(service, **options)

    def all(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """Return the items of all pages of an operation."""
        pages = self.client(service).get_paginator(operation).paginate(**arguments)
        return [item for page in pages for item in page[key]]

    def log_group(self, function: str) -> str:
        return f"/aws/lambda/{self.prefix}-{function}"

    def log_lines(self, group: str) -> list[str]:
        """Return some lines of a log of the last day."""
        since = int((datetime.now(UTC) - DAY).timestamp() * 1000)
        found = self.client("logs").filter_log_events(logGroupName=group, startTime=since, limit=50)["events"]
        return [event["message"] for event in found]


def find_system(variables: Mapping[str, str]) -> System:
    """Return the deployment that STACK or TERRAFORM names. Raise NoSystemError if there is none, or if it is prod."""
    stack, terraform = variables.get("STACK"), variables.get("TERRAFORM")
    if bool(stack) == bool(terraform):
        raise NoSystemError("name one deployment, such as STACK=order-processing-dev or TERRAFORM=terraform-backend")
    try:
        outputs = (
            outputs_of_stack(boto3.client("cloudformation"), stack)
            if stack
            else outputs_of_terraform(REPOSITORY / str(terraform))
        )
    except (TerraformOutputError, ClientError, BotoCoreError) as error:
        raise NoSystemError(f"the deployment to check was not found: {error}") from error
    if "dashboard_name" not in outputs:
        raise NoSystemError("the deployment has none of this system's outputs")
    system = System(outputs)
    if system.environment == "prod" and variables.get("SMOKE_PROD") != "yes":
        raise NoSystemError("this is prod. Check another environment, or set SMOKE_PROD=yes")
    return system
