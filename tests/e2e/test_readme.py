"""Each command of README.md and docs/deploy.md works in a fresh copy of the project, with `make run` in one terminal.

Commands for AWS use an empty emulator. PREPARED prepares a section and verifies its effect. NOT_RUN states why a
command is not run here.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import set_up_venv
import terraform_provider
from local_stack import Settings
from local_stack.environment import without_user_settings
from local_stack.machine import free_port
from local_stack.terraform import PLUGIN_CACHE
from orders.domain.order_id import random_order_id
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.package import lambda_zip
from support.documented_commands import (
    DEPLOYMENT,
    README,
    DocumentReader,
    Shell,
    require_documented,
    sections_with_commands,
    write_command,
)
from support.prerequisites import aws_cli, require_program
from support.repository.files import REPOSITORY, checked_in_files
from support.waiting import wait_for

SECTIONS = {**sections_with_commands(README, inline=True), **sections_with_commands(DEPLOYMENT, inline=True)}
STOREFRONT = "http://storefront.example.com"
REGION = "eu-west-1"
ORDER_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"

NOT_RUN = {
    "make run": "the fixture `project` runs it",
    **dict.fromkeys(("make test", "make check", "make audit", "make build"), "the CI workflow runs it"),
    "make build TARGET=x86_64": "tests/integration/test_build_lambda.py builds both targets",
    "make fault-test": "tests/e2e/test_faults.py runs a part",
    "make smoke STACK=": "tests/integration/test_smoke.py runs it against the emulator",
    "terraform apply -var-file=": "tests/infrastructure/test_profiles.py plans the profiles",
    "terraform apply -var api_url=": "tests/infrastructure/test_frontend_apply.py applies the storefront",
    "terraform destroy": "tests/infrastructure/test_backend_apply.py and test_frontend_apply.py destroy both",
    'curl "$STOREFRONT/health"': "tests/infrastructure/test_frontend_user_data.py requests it",
    "orders ": "tests/e2e/test_runbook.py and test_cli.py run the commands of `orders`",
}
EXPECTED = {
    **dict.fromkeys(("stack()", "export", "cd ", "cp ", "sed ", "aws s3api put-bucket-versioning"), ""),
    "aws cloudformation delete-stack": "",
    "curl -i": r"202 Accepted[^$]*\"ACCEPTED\"",
    'curl "$API/orders/<order_id>"': '"status": "PROCESSED"',
    "curl --aws-sigv4": "<MessageId>",
    "terraform plan": r"Plan:.* \d\d+ to add, 0 to change, 0 to destroy",
    "terraform apply": "Apply complete!",
    "terraform init -backend-config": 'Successfully configured the backend "s3"!',
    "aws cloudformation describe-stacks": "^ApiEndpoint\thttp",
    ".venv/bin/orders dlq list": "not JSON",
}


@dataclass(kw_only=True)
class Reader(DocumentReader):
    """Runs the commands of the documents in a second terminal."""

    project: Path
    """A copy of the project in which `make run` runs."""
    account: Emulator


def screen_of(project: Path) -> Path:
    """Return the file with the output of `make run`."""
    return project.parent / "screen"


@contextmanager
def first_order(reader: Reader) -> Iterator[None]:
    def accepted() -> None:
        [order_id] = re.findall(rf"(?im)^location: /orders/({ORDER_ID})", reader.output)
        reader.filled_in["order_id"] = order_id
        wait_for("the order's e-mail", lambda: f"Order {order_id} completed" in screen_of(reader.project).read_text())

    def poisoned() -> None:
        wait_for("the alarm", lambda: "Subject: ALARM: " in screen_of(reader.project).read_text())

    reader.after |= {"curl -i": accepted, "curl --aws-sigv4": poisoned}
    yield
    mailbox = reader.project / ".local" / "mailbox"
    assert any("ALARM: " in mail.read_text() for mail in mailbox.rglob("*") if mail.is_file())


@contextmanager
def account(reader: Reader) -> Iterator[None]:
    """Point `aws` and `terraform` at an empty account."""
    for name, value in reader.account.environment.items():
        if os.environ.get(name) != value:
            assert reader.shell.run(f"export {name}='{value}'")[0] == 0
    yield


@contextmanager
def backend(reader: Reader) -> Iterator[None]:
    require_program("terraform", "install Terraform 1.9 or newer to run the documented commands")
    # Two resources and their dependencies; test_backend_apply.py applies and destroys everything.
    targets = " ".join(f"-target={each}" for each in ("aws_apigatewayv2_api.orders", "aws_sns_topic.alerts"))
    reader.shell.run(f"export TF_CLI_ARGS_apply='-auto-approve {targets}'")
    with account(reader):
        yield


@contextmanager
def storefront(reader: Reader) -> Iterator[None]:
    """Continue with the backend of the README's section, or deploy it."""
    # test_frontend_apply.py applies the storefront and checks its outputs.
    reader.replaced["$(terraform output -raw storefront_url)"] = STOREFRONT
    reader.replaced["terraform apply -var api_url="] = "terraform -chdir=terraform-frontend apply -var api_url="
    deploy = "terraform apply -var notification_email=you@your-shop.example"
    with backend(reader):
        if not (reader.project / "terraform-backend" / "terraform.tfstate").exists():
            reader.run_section(["cd terraform-backend", "terraform init", deploy, "cd .."])
        reader.not_run[deploy] = "the README has it too"
        reader.expected[f'{deploy} -var "cors'] = "Apply complete!"
        yield
        [api] = reader.account.client("apigatewayv2").get_apis()["Items"]
        assert api["CorsConfiguration"]["AllowOrigins"] == [STOREFRONT]


@contextmanager
def team_state(reader: Reader) -> Iterator[None]:
    # Create the workspace in the frontend's folder; the backend's state moves to S3 below.
    reader.replaced["terraform workspace"] = "terraform -chdir=../terraform-frontend workspace"
    with backend(reader):
        # The emulator supports path-style buckets only.
        reader.shell.run('export TF_CLI_ARGS_init="$TF_CLI_ARGS_init -backend-config=use_path_style=true"')
        reader.shell.run("cd terraform-backend && rm -rf .terraform terraform.tfstate*")
        yield
        assert reader.shell.run("terraform state list")[0] == 1, "no state is in S3 yet"


PREPARED: Mapping[str, Callable[[Reader], AbstractContextManager[None]]] = {
    "Your first order": first_order,
    "The backend with Terraform": backend,
    "The backend with CloudFormation": account,
    "The storefront": storefront,
    "Before the first deployment": account,
    "State for a team": team_state,
    "Configuration": account,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project after `git clone`, with `make run` in a first terminal and its installation already done."""
    require_program("make", "install GNU make")
    command = SECTIONS["Two commands"][0]
    assert command.startswith("make run ")
    directory = tmp_path_factory.mktemp("clone") / "order-processing-system"
    for source in checked_in_files():
        target = directory / source.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    share_environment(directory / ".venv")
    package = lambda_zip("local")
    (directory / "dist").mkdir()
    for name in ("local", "arm64"):
        shutil.copy(package, directory / "dist" / f"orders-{name}.zip")
        shutil.copy(package.with_suffix(".inputs"), directory / "dist" / f"orders-{name}.inputs")
    settings = Settings(storefront_port=free_port(), aws_port=free_port(), local_directory=directory / ".local")
    ports = {"PORT": str(settings.storefront_port), "AWS_PORT": str(settings.aws_port)}
    screen = screen_of(directory)
    with (
        screen.open("w") as output,
        subprocess.Popen(
            ["bash", "-c", command],
            cwd=directory,
            env={**environment_of_a_reader(), **ports},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as running,
    ):
        try:
            wait_for("`make run`", lambda: "\nReady.\n" in screen.read_text() or running.poll() is not None, 120)
            assert running.poll() is None, screen.read_text()
            # Five receives of an invalid message take a minute with the deployed visibility timeout.
            sqs = settings.connection.client("sqs")
            url = sqs.get_queue_url(QueueName="order-processing-dev-orders")["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
            yield directory
        finally:
            # Ctrl-C reaches every process of the terminal. ProcessLookupError: `make run` has already ended.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGINT)
            running.wait(60)
    assert screen.read_text().rstrip().endswith("Stopped; the orders are kept for the next time.")


def share_environment(environment: Path) -> None:
    """Make a .venv with the tests' packages, so that nothing is installed."""
    own = Path(sys.prefix)
    (environment / "bin").mkdir(parents=True)
    for part in ("lib", "pyvenv.cfg", "bin/python"):
        (environment / part).symlink_to(own / part)
    shutil.copy(environment.parent / set_up_venv.LOCKS["test"], environment / set_up_venv.RECORD)


def environment_of_a_reader() -> dict[str, str]:
    """Return the environment of a user without an AWS account."""
    own = ("PORT", "DEPLOY", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
    return {name: value for name, value in without_user_settings().items() if name not in own}


@pytest.fixture(scope="module")
def empty_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("account"), REGION) as emulator:
        yield emulator


@pytest.fixture
def reader(project: Path, empty_account: Emulator, tmp_path: Path) -> Iterator[Reader]:
    """A reader with a new terminal."""
    write_command(tmp_path / "aws", f'exec {shlex.join(aws_cli())} "$@"')
    environment = environment_of_a_reader() | {"TF_INPUT": "false", "CHECKPOINT_DISABLE": "1"}
    environment["PATH"] = f"{tmp_path}:{project}/.venv/bin:{environment['PATH']}"
    version = terraform_provider.locked_version(REPOSITORY / "terraform-backend")
    if mirror := terraform_provider.find_mirror(version, terraform_provider.mirror_candidates()):
        environment["TF_CLI_ARGS_init"] = f"-plugin-dir={mirror}"
    else:
        PLUGIN_CACHE.mkdir(parents=True, exist_ok=True)
        environment["TF_PLUGIN_CACHE_DIR"] = str(PLUGIN_CACHE)
    file = tmp_path / "file"
    file.touch()
    replaced = {"submit orders.csv": f"submit {file}", "--from aside.jsonl": f"--from {file}"}
    replaced["ORDER_ID"] = random_order_id(bytes(12))
    with Shell(project, environment) as shell:
        reader = Reader(shell=shell, replaced=replaced, project=project, account=empty_account)
        reader.expected, reader.not_run = dict(EXPECTED), dict(NOT_RUN)
        yield reader


@pytest.mark.parametrize("title", SECTIONS)
def test_documented_commands_do_what_their_section_says(reader: Reader, title: str) -> None:
    reader.run_section(SECTIONS[title], PREPARED.get(title))


def test_readme_tables_name_existing_sections_and_commands() -> None:
    require_documented(SECTIONS, PREPARED, NOT_RUN, EXPECTED)
