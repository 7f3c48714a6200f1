"""Options that several commands share, and the line that says which system they talk to."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orders_cli.console import say
from orders_cli.errors import OperatorError
from orders_cli.system import System
from orders_cli.target_discovery import Choice, find_system

Function = TypeVar("Function", bound=Callable[..., Any])

_WHICH_SYSTEM = "Which system"


class SystemOption(click.Option):
    """An option about which system is meant; help lists these apart from the command's own."""


class SystemCommand(click.Command):
    """A command on a system: its help ends with how the system is chosen."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those that choose the system."""
        own: list[tuple[str, str]] = []
        choosing: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                (choosing if isinstance(parameter, SystemOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section(f"{_WHICH_SYSTEM} (see `orders --help`)"):
            formatter.write_dl(choosing)


_SYSTEM_OPTIONS = (
    click.option("--local", is_flag=True, cls=SystemOption, help="The local stack of `make run`."),
    click.option(
        "--stack-file",
        type=click.Path(path_type=Path),
        cls=SystemOption,
        help="A local stack that keeps its stack.json elsewhere.",
    ),
    click.option(
        "--terraform",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIRECTORY",
        cls=SystemOption,
        help="What Terraform has applied in this directory.",
    ),
    click.option("--stack", metavar="NAME", cls=SystemOption, help="The CloudFormation stack of this name."),
    click.option("--region", cls=SystemOption, help="The AWS region, where it is not your default."),
    click.option("--profile", cls=SystemOption, help="The profile of your AWS configuration, instead of AWS_PROFILE."),
)


def on_system(function: Function) -> Function:
    """Hand the command the system that is meant, as `system`, after saying on standard error which it is."""

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
        system = find_system(Choice(local, stack_file, terraform, stack, region, profile))
        say(f"talking to {system.name}, {system.origin}")
        return function(*arguments, system=system, **more)

    for option in reversed(_SYSTEM_OPTIONS):
        command = option(command)
    return command  # type: ignore[return-value]


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

yes = click.option("--yes", is_flag=True, help="Do not ask. Needed where nobody can answer.")


def confirm(question: str, *, already: bool) -> None:
    """Go on only with the person's consent; raise OperatorError without it. `already`: it was given, by --yes."""
    if already:
        return
    if not sys.stdin.isatty():
        raise OperatorError(
            "Nothing was done, because nobody can be asked here: add --yes to go on without a question."
        )
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was done.")


def confirm_in_production(system: System, what: str, *, already: bool) -> None:
    """Ask before something changes in prod; elsewhere go on."""
    if system.is_production:
        confirm(f"This is {system.name}. {what}?", already=already)
