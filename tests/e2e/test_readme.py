"""The commands of README.md, typed as they stand by a stranger: in a fresh copy of the project, with `make run` in one terminal.

What leads to AWS meets an empty emulator. SCENES says of each section what is there before, and what each command has to say. What
is not typed here is in NOT_TYPED, with the file that types it, or with what the emulator cannot do. A command that is in neither
fails the test, and so does a line here that no command needs any more.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import set_up_venv
import terraform_provider
from local_stack.aws import AwsConnection, Credentials
from local_stack.environment import without_personal_choices
from local_stack.machine import free_port
from local_stack.terraform import PLUGIN_CACHE
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.package import lambda_zip
from support.machine.preloaded_commands import preloaded
from support.machine.shell import Shell
from support.machine.typed_commands import Typist, beginning_in, in_one_line, require_all_do_what_they_are_there_for
from support.prerequisites import aws_cli, require_program
from support.repository.documented_commands import DEPLOYMENT, README, sections_with_commands
from support.repository.files import REPOSITORY, checked_in_files
from support.waiting import wait_for

SECTIONS = {**sections_with_commands(README, inline=True), **sections_with_commands(DEPLOYMENT, inline=True)}

STACK = "order-processing-dev"
STOREFRONT = "http://storefront.example.com"
REGION = "eu-west-1"

ORDER_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
APPLIED = "Apply complete!"


@dataclass(frozen=True)
class Elsewhere:
    """What runs a command in the place of this test, and the text in it that does."""

    path: str
    text: str


NOT_TYPED: Mapping[str, Elsewhere | str] = {
    "make run": "the fixture `project` types it, into the first terminal",
    "make test": Elsewhere(".github/workflows/ci.yml", "target: test\n"),
    "make test TESTS=": Elsewhere(".github/workflows/ci.yml", "run: make test TESTS="),
    "make check": Elsewhere(".github/workflows/ci.yml", "target: check\n"),
    "make build": Elsewhere(".github/workflows/ci.yml", "run: make build\n"),
    "make build TARGET=x86_64": Elsewhere(
        "tests/integration/test_build_lambda.py", '@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)'
    ),
    "make fault-test": Elsewhere("tests/e2e/test_faults.py", "running_fault_test("),
    "make smoke STACK=": Elsewhere("tests/integration/test_smoke.py", '"smoke"]'),
    "terraform apply -var api_url=": Elsewhere("tests/infrastructure/test_frontend_apply.py", "root.apply(DEPLOYED)"),
    "terraform destroy": Elsewhere("tests/infrastructure/test_frontend_apply.py", ".destroy("),
    'curl "$STOREFRONT/health"': Elsewhere(
        "tests/integration/test_frontend_user_data.py", '"/health").body == b"ok\\n"'
    ),
    "orders restore": Elsewhere("tests/e2e/test_cli.py", '"restore"'),
}


@dataclass(frozen=True)
class Project:
    """A fresh copy of the project with `make run` in the first terminal."""

    directory: Path
    screen: Path
    """What `make run` has said."""

    @property
    def stack(self) -> dict[str, str]:
        """What the running system says of itself."""
        description: dict[str, str] = json.loads((self.directory / ".local" / "stack.json").read_text())
        return description

    def client(self, service: str) -> Any:
        """Return a client of the running system, with every right."""
        stack = self.stack
        credentials = Credentials(stack["access_key_id"], stack["secret_access_key"])
        return AwsConnection(stack["endpoint_url"], stack["region"], credentials).client(service)


@dataclass(kw_only=True)
class Stranger(Typist):
    """Who types, in the second terminal."""

    project: Project
    account: Emulator


Scene = Callable[[Stranger], AbstractContextManager[object]]
"""What is there while a section is worked through, and undone afterwards."""


def as_it_is(person: Stranger) -> AbstractContextManager[object]:
    """Change nothing."""
    return nullcontext()


def has_poison(person: Stranger) -> bool:
    """Return whether the dead-letter queue holds a message."""
    sqs, url, name = person.project.client("sqs"), person.project.stack["orders_dlq_url"], "ApproximateNumberOfMessages"
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    return attributes[name] == "1"


def wait_for_poison(person: Stranger) -> None:
    """Wait until the dead-letter queue holds a message."""
    wait_for("the message that is no order", lambda: has_poison(person))


@contextmanager
def quick_redelivery(person: Stranger) -> Iterator[None]:
    """Deliver what fails again after a second, not twelve, so that five receives take no minute."""
    sqs, url, name = person.project.client("sqs"), person.project.stack["orders_queue_url"], "VisibilityTimeout"
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: "1"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


@contextmanager
def a_first_order(person: Stranger) -> Iterator[None]:
    """Follow what is announced: the order until it is stored, what is no order until its alarm is in the first terminal."""

    def accepted() -> None:
        [order_id] = re.findall(rf"(?im)^location: /orders/({ORDER_ID})", person.said)
        person.filled_in["order_id"] = order_id
        wait_for(
            "the e-mail about the order", lambda: f"Order {order_id} completed" in person.project.screen.read_text()
        )

    def poisoned() -> None:
        wait_for_poison(person)
        wait_for("the alarm", lambda: "Subject: ALARM: " in person.project.screen.read_text())

    person.after |= {"curl -i": accepted, "curl --aws-sigv4": poisoned}
    with quick_redelivery(person):
        yield
    mailbox = person.project.directory / ".local" / "mailbox"
    assert any("ALARM: " in mail.read_text() for mail in mailbox.rglob("*") if mail.is_file())


@contextmanager
def an_operator(person: Stranger) -> Iterator[None]:
    """Have a file of orders, and a message in the dead-letter queue, where it comes again after each redrive."""
    (person.project.directory / "orders.csv").write_text(
        "customer_id,product_id,quantity,order_date\n001,Banana,1,2025-04-25\n"
    )

    def submitted() -> None:
        table = person.project.stack["orders_table_name"]
        stored = wait_for("the order", lambda: person.project.client("dynamodb").scan(TableName=table)["Items"])
        person.typed_here["ORDER_ID"] = stored[0]["order_id"]["S"]

    def brought_back() -> None:
        if "1 message redriven" in person.said:
            wait_for_poison(person)

    person.after |= {"orders submit": submitted, "orders dlq redrive": brought_back}
    with quick_redelivery(person):
        if not has_poison(person):
            url = person.project.stack["orders_queue_url"]
            person.project.client("sqs").send_message(QueueUrl=url, MessageBody="poison")
            wait_for_poison(person)
        yield


@contextmanager
def an_account(person: Stranger) -> Iterator[None]:
    """Turn `aws` and `terraform` to an empty account."""
    variables = {name: value for name, value in person.account.environment.items() if os.environ.get(name) != value}
    for name, value in variables.items():
        assert person.shell.run(f"export {name}='{value}'").status == 0
    yield


@contextmanager
def terraform(person: Stranger, *targets: str) -> Iterator[None]:
    """Apply only what the document goes on with: test_backend_apply.py and test_frontend_apply.py apply everything."""
    require_program("terraform", "install Terraform 1.9 or newer to type what the README says of it")
    with an_account(person):
        for command in ("apply", "destroy"):
            person.shell.run(f"export TF_CLI_ARGS_{command}='-auto-approve'")
        only(person, *targets)
        yield


def only(person: Stranger, *targets: str) -> None:
    """Let Terraform apply only this, and what it needs."""
    options = " ".join(["-auto-approve", *(f"-target={target}" for target in targets)])
    person.shell.run(f"export TF_CLI_ARGS_apply='{options}'")


def initialized(person: Stranger, folder: str) -> None:
    """Make a folder of Terraform's ready, unless an earlier section has."""
    if not (person.project.directory / folder / ".terraform").exists():
        assert person.shell.run(f"terraform -chdir={folder} init").status == 0


OF_THE_BACKEND = ("aws_apigatewayv2_api.orders", "aws_sns_topic.alerts")


def a_backend(person: Stranger) -> AbstractContextManager[None]:
    return terraform(person, *OF_THE_BACKEND)


@contextmanager
def a_storefront(person: Stranger) -> Iterator[None]:
    """Go on with the backend's folder as the section before has left it."""
    # Applying it takes the provider a minute and a half of waiting; test_frontend_apply.py does, and looks at each output.
    outputs = (REPOSITORY / "terraform-frontend" / "outputs.tf").read_text()
    assert 'output "storefront_url"' in outputs
    person.typed_here["$(terraform output -raw storefront_url)"] = STOREFRONT
    person.typed_here["terraform apply -var api_url="] = "terraform -chdir=terraform-frontend apply -var api_url="
    with a_backend(person):
        initialized(person, "terraform-backend")
        yield
        [api] = person.account.client("apigatewayv2").get_apis()["Items"]
        assert api["CorsConfiguration"]["AllowOrigins"] == [STOREFRONT]


@contextmanager
def a_team(person: Stranger) -> Iterator[None]:
    """Begin anew in the backend's folder, and reach the bucket by the only way that the emulator has."""
    # It is the same in both folders, and this one gets its state elsewhere in what follows.
    person.typed_here["terraform workspace"] = "terraform -chdir=../terraform-frontend workspace"
    with a_backend(person):
        person.shell.run("export TF_CLI_ARGS_init='-backend-config=use_path_style=true'")
        person.shell.run("cd terraform-backend && rm -rf .terraform terraform.tfstate*")
        yield
        assert person.shell.run("terraform state list").status == 1, "there is no state yet, and it is looked for in S3"


@contextmanager
def settings(person: Stranger) -> Iterator[None]:
    """Type for Terraform what is typed in one of its folders; the profile is refused as it stands."""
    person.typed_here["terraform apply"] = "! terraform -chdir=terraform-frontend apply"
    with terraform(person):
        initialized(person, "terraform-frontend")
        yield


SCENES: Mapping[str, tuple[Scene, Mapping[str, str]]] = {
    "Two commands": (as_it_is, {"make": "^Test$"}),
    "Your first order": (
        a_first_order,
        {
            "stack()": "^$",
            "API=": "^http://",
            "export no_proxy": "^$",
            "curl -i": r"202 Accepted[^$]*\"ACCEPTED\"",
            'curl "$API/orders/<order_id>"': '"status": "PROCESSED"',
            "curl --aws-sigv4": "<MessageId>",
            ".venv/bin/orders dlq list": "not JSON",
            "make help": "^  make run .*\n +PORT=8080 ",
        },
    ),
    "Into your AWS account": (as_it_is, {}),
    "The backend with Terraform": (
        a_backend,
        {
            "cd terraform-backend": "^$",
            "terraform init": "Terraform has been successfully initialized!",
            "terraform plan": r"Plan:.* \d\d+ to add, 0 to change, 0 to destroy",
            "terraform apply": APPLIED,
            "terraform destroy -var": "Destroy complete!",
        },
    ),
    "The backend with CloudFormation": (
        an_account,
        {
            "aws s3 mb": "^make_bucket: your-artifacts$",
            "aws cloudformation package": "Successfully packaged artifacts",
            "aws cloudformation deploy": f"Successfully created/updated stack - {STACK}",
            "aws cloudformation describe-stacks": "^ApiEndpoint\thttp",
            "aws cloudformation delete-stack": "^$",
        },
    ),
    "The storefront": (
        a_storefront,
        {
            "cd terraform-backend": "^$",
            "terraform apply": APPLIED,
            "API=": "^http",
            "cd ../terraform-frontend": "^$",
            "terraform init": "Terraform has been successfully initialized!",
            "STOREFRONT=": "^http://",
            "cd ../terraform-backend": "^$",
        },
    ),
    "Before the first deployment": (an_account, {"aws lambda get-account-settings": r"^\d+$"}),
    "Updates and removal": (as_it_is, {}),
    "State for a team": (
        a_team,
        {
            "terraform workspace select": 'switched to workspace "prod"',
            "aws s3api create-bucket": '"Location"',
            "aws s3api put-bucket-versioning": "^$",
            "cp backend.tf.example": "^$",
            "cp profiles/prod.s3.tfbackend.example": "^$",
            "terraform init": 'Successfully configured the backend "s3"!',
        },
    ),
    "Configuration": (
        settings,
        {
            "terraform apply": "FILL IN",
            "ACCOUNT=": r"^\d{12}$",
            "REGION=": f"^{REGION}$",
            "PARTITION=": "^aws$",
            "sed": "^$",
            "aws kms create-key": rf"^arn:aws:kms:{REGION}:\d{{12}}:key/",
        },
    ),
    "What is promised, and what proves it": (as_it_is, {}),
    "Operating it": (
        an_operator,
        {
            "orders status": "processing +Enabled",
            "orders pause": "processing is disabled",
            "orders resume": "processing is enabled",
            "orders submit orders.csv": "1 order: 1 accepted",
            "orders show": "PROCESSED",
            "orders trace": "order_stored",
            "orders list": '^"order_id",[^$]*,"001","Banana","1","2025-04-25",',
            "orders dlq list": "not JSON",
            "orders dlq redrive": "1 message redriven|there is nothing to redrive",
            "orders dlq drop": "1 message dropped; the file is ",
            "orders dlq list --notifications": "is empty",
            "orders notify": "notified 1 order",
            "orders-plan capacity constant": "^No limit is met",
            "orders-plan cost": "^backend and storefront ",
        },
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project as it is after `git clone`, with what `make run` would install and build there already, and running."""
    require_program("make", "install GNU make")
    command = SECTIONS["Two commands"].commands[0]
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
    project = Project(directory, directory.parent / "screen")
    ports = {"PORT": str(free_port()), "AWS_PORT": str(free_port())}
    with (
        project.screen.open("w") as screen,
        subprocess.Popen(
            ["bash", "-c", command],
            cwd=directory,
            env={**of_a_stranger(), **ports},
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as running,
    ):
        try:
            wait_for(
                "`make run`",
                lambda: "\nReady.\n" in project.screen.read_text() or running.poll() is not None,
                seconds=120,
            )
            assert running.poll() is None, project.screen.read_text()
            yield project
        finally:
            # To all processes of the terminal, as Ctrl-C does it; none is left where it has ended by itself.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGINT)
            running.wait(60)
    assert project.screen.read_text().rstrip().endswith("Stopped; the orders are kept for the next time.")


def share_environment(environment: Path) -> None:
    """Make a .venv that needs nothing installed: the one of the tests, but for the command that leads to the checkout."""
    own = Path(sys.prefix)
    (environment / "bin").mkdir(parents=True)
    for part in ("lib", "pyvenv.cfg", "bin/python"):
        (environment / part).symlink_to(own / part)
    (environment / "installed").write_text(set_up_venv.record_text("test", environment.parent))


def of_a_stranger() -> dict[str, str]:
    """Return the environment of somebody who has no AWS account."""
    return {
        name: value
        for name, value in without_personal_choices().items()
        if name not in ("PORT", "DEPLOY", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
    }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AWS account with nothing in it."""
    with running_emulator(tmp_path_factory.mktemp("account"), REGION) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def commands(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `aws` and `orders` as the README speaks of them, but quicker, and with a yes to every question."""
    directory = tmp_path_factory.mktemp("commands")
    aws = shlex.join(aws_cli())
    with preloaded(tmp_path_factory.mktemp("preloaded")) as command:
        for name, lines in {
            "aws": [
                f'if [ "$ONLY_CHECK" ]; then exec {command("aws-check")} "$@"; fi',
                f'exec {aws} "$@"',
            ],
            # A person answers; here nobody can be asked.
            "orders": [
                'case "$1 $2" in "dlq redrive" | "dlq drop" | notify*) set -- "$@" --yes ;; esac',
                f'exec {project.directory}/.venv/bin/orders "$@"',
            ],
            "orders-plan": [f'exec {project.directory}/.venv/bin/orders-plan "$@"'],
        }.items():
            (directory / name).write_text("\n".join(["#!/bin/bash", *lines, ""]))
            (directory / name).chmod(0o755)
        yield directory


@pytest.fixture
def person(project: Project, account: Emulator, commands: Path, tmp_path: Path) -> Iterator[Stranger]:
    """Somebody with the README in front of them and a new terminal."""
    environment = of_a_stranger()
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    environment |= {"TF_INPUT": "false", "CHECKPOINT_DISABLE": "1"}
    version = terraform_provider.locked_version(REPOSITORY / "terraform-backend")
    if mirror := terraform_provider.find_mirror(version, terraform_provider.usual_places()):
        configuration = tmp_path / "terraformrc"
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        environment["TF_CLI_CONFIG_FILE"] = str(configuration)
    else:
        PLUGIN_CACHE.mkdir(parents=True, exist_ok=True)
        environment["TF_PLUGIN_CACHE_DIR"] = str(PLUGIN_CACHE)
    with Shell(project.directory, environment) as shell:
        yield Stranger(shell=shell, project=project, account=account)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_command_of_the_readme_does_what_it_is_there_for(person: Stranger, title: str) -> None:
    assert title in SCENES, f"say in SCENES what is there before, and what the commands of “{title}” have to say"
    scene, expected = SCENES[title]
    with scene(person):
        require_all_do_what_they_are_there_for(person, SECTIONS[title].commands, expected, NOT_TYPED)


def test_what_is_not_typed_here_is_run_where_it_is_said_and_nothing_is_left_of_a_command_that_is_gone() -> None:
    commands = [in_one_line(command) for section in SECTIONS.values() for command in section.commands]
    assert SCENES.keys() == SECTIONS.keys()
    assert NOT_TYPED.keys() <= {beginning_in(NOT_TYPED, command) for command in commands}
    for command, how in NOT_TYPED.items():
        if isinstance(how, Elsewhere):
            path = REPOSITORY / how.path
            assert path.is_file(), f"{command}: there is no {how.path}"
            assert how.text in path.read_text(), f"{command}: {how.path} does not run it by {how.text!r} any more"
