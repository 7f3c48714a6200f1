"""Check on a real account what the local emulator cannot show: the claims of docs/unproven.md.

    .venv/bin/python scripts/verify_aws.py --stack order-processing-dev
    .venv/bin/python scripts/verify_aws.py --terraform terraform-backend --region eu-central-1

Reads only, unless one agrees to more: what places orders, rings alarms or sends load asks first, each by itself. A
deployment called prod is left alone unless --production is given. Credentials are those of the environment, as for
every AWS tool.

Exits with 0 if nothing failed, 1 if a check failed, 2 if there is nothing to look at.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_checks.catalogue import CHECKS
from aws_checks.check import Check, Effect, Outcome, Verdict, not_tried
from aws_checks.deployment import Deployment
from deployed_outputs import TerraformOutputError, outputs_of_stack, outputs_of_terraform

AGREEABLE = {effect.name.lower(): effect for effect in Effect if effect is not Effect.READS}
_WIDTH = max(len(verdict.value) for verdict in Verdict)
_NAMES = [check.name for check in CHECKS]


class NoDeploymentError(Exception):
    """There is nothing to look at; the message says what to do."""


_HELP = f"""Check on a real account what the local emulator cannot show: the claims of docs/unproven.md.

Reads only, unless you agree to more. Exits with 0 if nothing failed, 1 if a check failed, 2 if there is nothing
to look at.

Checks: {", ".join(_NAMES)}.
"""


@click.command(help=_HELP, context_settings={"max_content_width": 120})
@click.option("--stack", metavar="NAME", help="Look at this CloudFormation stack.")
@click.option(
    "--terraform",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Look at what was applied from this folder.",
)
@click.option(
    "--outputs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Look at what this JSON file describes, such as .local/stack.json of `make run`.",
)
@click.option("--region", help="Region of the deployment. [default: the environment's]")
@click.option("--profile", help="Profile of the credentials. [default: the environment's]")
@click.option("--autoscaling-group", metavar="NAME", help="Look at this group of web servers too.")
@click.option(
    "--only", multiple=True, type=click.Choice(_NAMES), metavar="CHECK", help="Run only this check; repeatable."
)
@click.option(
    "--agree",
    multiple=True,
    type=click.Choice(sorted(AGREEABLE)),
    help="Do not ask before what does this; repeatable.",
)
@click.option("--production", is_flag=True, help="Look at a deployment called prod.")
def main(
    *,
    stack: str | None,
    terraform: Path | None,
    outputs: Path | None,
    region: str | None,
    profile: str | None,
    autoscaling_group: str | None,
    only: Sequence[str],
    agree: Sequence[str],
    production: bool,
) -> None:
    """Run the checks; exit with their sum."""
    if sum(map(bool, (stack, terraform, outputs))) != 1:
        _give_up("Name one deployment: --stack, --terraform or --outputs.")
    try:
        session = boto3.session.Session(region_name=region, profile_name=profile)
        deployment = _deployment(
            session,
            stack=stack,
            terraform=terraform,
            outputs=outputs,
            region=region,
            profile=profile,
            autoscaling_group=autoscaling_group,
        )
        account = deployment.client("sts").get_caller_identity()["Account"]
    except (NoDeploymentError, ClientError, BotoCoreError, ValueError) as error:
        _give_up(f"There is no deployment to look at: {error}")
    click.echo(f"{deployment.prefix} in account {account}, {deployment.client('sqs').meta.region_name}")
    if deployment.environment == "prod" and not production:
        _give_up("This is production. Look at another stage, or give --production if you mean it.")
    agreed = _agreement(agree)
    verdicts = Counter(_show(check, deployment, agreed) for check in CHECKS if not only or check.name in only)
    click.echo(", ".join(f"{verdicts[verdict]} {verdict.value}" for verdict in Verdict))
    sys.exit(1 if verdicts[Verdict.FAILED] else 0)


def _deployment(
    session: Any,
    *,
    stack: str | None,
    terraform: Path | None,
    outputs: Path | None,
    region: str | None,
    profile: str | None,
    autoscaling_group: str | None,
) -> Deployment:
    endpoint_url = os.environ.get("AWS_ENDPOINT_URL") or None
    described: dict[str, str] = json.loads(outputs.read_text()) if outputs else {}
    endpoint_url = described.get("endpoint_url", endpoint_url)
    region = region or described.get("region")

    def client(service: str, **options: Any) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(retries={"mode": "standard"}, connect_timeout=10, read_timeout=60),
            **options,
        )

    if stack:
        described = outputs_of_stack(client("cloudformation"), stack)
    elif terraform:
        described = _applied(terraform, profile)
    if "dashboard_name" not in described:
        raise NoDeploymentError("it has none of this system's outputs")
    return Deployment(described, client, endpoint_url, autoscaling_group)


def _applied(folder: Path, profile: str | None) -> dict[str, str]:
    advice = "apply there first, or name a --stack"
    try:
        outputs = outputs_of_terraform(folder, profile)
    except TerraformOutputError as error:
        raise NoDeploymentError(f"Terraform cannot tell its outputs in {folder} ({error}): {advice}.") from error
    if not outputs:
        raise NoDeploymentError(f"Terraform has applied nothing in {folder}: {advice}.")
    return outputs


def _agreement(agreed: Sequence[str]) -> Callable[[Check], bool]:
    answers = {AGREEABLE[name]: True for name in agreed} | {Effect.READS: True}

    def is_agreed(check: Check) -> bool:
        if check.effect not in answers and not sys.stdin.isatty():
            return False
        if check.effect not in answers:
            answers[check.effect] = click.confirm(f"{check.name} {check.effect.value}. Go on?", err=True)
        return answers[check.effect]

    return is_agreed


def _show(check: Check, deployment: Deployment, is_agreed: Callable[[Check], bool]) -> Verdict:
    """Run one check and say what came of it, in one line."""
    outcome: Outcome = (
        check.run(deployment, _progress)
        if is_agreed(check)
        else not_tried(f"it {check.effect.value}; agree with --agree {check.effect.name.lower()}")
    )
    _progress("")
    color = {Verdict.PROVEN: "green", Verdict.FAILED: "red", Verdict.NOT_TRIED: "yellow"}[outcome.verdict]
    verdict = click.style(f"{outcome.verdict.value:<{_WIDTH}}", fg=color)
    click.echo(f"{verdict}  {check.name:<18}  {check.claim}: {outcome.reason}")
    return outcome.verdict


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)


def _give_up(reason: str) -> None:
    click.echo(f"verify_aws: {reason}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
