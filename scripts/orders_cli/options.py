"""Options that several commands share, and the system that they name."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orders.domain.order_id import parse_order_id
from orders_cli.console import require_reader, say
from orders_cli.dead_letters import Kind
from orders_cli.errors import OperatorError
from orders_cli.system import System
from orders_cli.target_discovery import Choice, find_system

Function = TypeVar("Function", bound=Callable[..., Any])

# On the local stack these are ignored.
_PERSONAL_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


class Target:
    """The system that the options name. It is looked up when the command asks for it, after its own checks."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def find(self) -> System:
        """Return the system, after naming it on standard error."""
        system = find_system(self._choice)
        say(f"using {system.name}, {system.origin}")
        ignored = [name for name in _PERSONAL_VARIABLES if os.environ.get(name)]
        if system.is_local and ignored:
            say(f"{' and '.join(ignored)} {'is' if len(ignored) == 1 else 'are'} ignored: this is the local stack")
        return system


class SystemOption(click.Option):
    """An option that names the system; the help lists these apart."""


class SystemCommand(click.Command):
    """A command on a system: its help ends with the options that name it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those that name the system."""
        own: list[tuple[str, str]] = []
        naming: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                (naming if isinstance(parameter, SystemOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section("Which system (see `orders --help`)"):
            formatter.write_dl(naming)


_SYSTEM_OPTIONS = (
    click.option("--local", is_flag=True, cls=SystemOption, help="The local stack of `make run`."),
    click.option(
        "--stack-file",
        type=click.Path(path_type=Path),
        cls=SystemOption,
        help="A local stack whose stack.json is elsewhere.",
    ),
    click.option(
        "--terraform",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIRECTORY",
        cls=SystemOption,
        help="What Terraform has applied in this directory.",
    ),
    click.option("--stack", metavar="NAME", cls=SystemOption, help="The CloudFormation stack of this name."),
    click.option("--region", cls=SystemOption, help="The AWS region, instead of AWS_REGION."),
    click.option("--profile", cls=SystemOption, help="The AWS profile, instead of AWS_PROFILE."),
)


def on_system(*, changes: bool = False) -> Callable[[Function], Function]:
    """Hand the command its `target`. One that `changes` something goes on when nobody reads its output any more."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(
            *arguments: Any,
            local: bool,
            stack_file: Path | None,
            terraform: Path | None,
            stack: str | None,
            region: str | None,
            profile: str | None,
            **more: Any,
        ) -> Any:
            named = [bool(local or stack_file), bool(terraform), bool(stack)]
            if sum(named) > 1:
                raise click.UsageError("--local, --terraform and --stack each name a system: give one of them.")
            if named[0] and (region or profile):
                raise click.UsageError("The local stack has no --region and no --profile.")
            require_reader(not changes)
            choice = Choice(local, stack_file, terraform, stack, region, profile)
            return function(*arguments, target=Target(choice), **more)

        for option in reversed(_SYSTEM_OPTIONS):
            command = option(command)
        return command  # type: ignore[return-value]

    return decorate


class OrderId(click.ParamType[str]):
    """The id of an order; spaces around it and its letters' case do not matter."""

    name = "order_id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in its canonical form."""
        if (order_id := parse_order_id(str(value).strip())) is None:
            self.fail("this is not an order id (its checksum is wrong). Check it for typos.")
        return order_id


class KindChoice(click.ParamType["frozenset[Kind]"]):
    """A kind of dead letter, or all of them."""

    name = "kind"
    choices = (*(kind.name.lower() for kind in Kind), "all")

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the placeholder in the help."""
        return f"[{'|'.join(self.choices)}]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> "frozenset[Kind]":
        """Return the kinds."""
        if isinstance(value, frozenset):
            return value
        if str(value).lower() not in self.choices:
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}.")
        return frozenset(Kind) if str(value).lower() == "all" else frozenset({Kind[str(value).upper()]})


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
dry_run = click.option("--dry-run", is_flag=True, help="Only report what would be done.")
yes = click.option("--yes", is_flag=True, help="Do not ask. Required without a terminal.")


def confirm(question: str, *, already: bool) -> None:
    """Ask for consent unless it was given `already`, by --yes; raise OperatorError without it."""
    if already:
        return
    if not sys.stdin.isatty():
        raise OperatorError("Nothing was done: there is no terminal to ask for consent. Add --yes.")
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was done.")


def confirm_in_production(system: System, what: str, *, already: bool) -> None:
    """Ask before something changes in prod; elsewhere go on."""
    if system.is_production:
        confirm(f"This is {system.name}. {what}?", already=already)
