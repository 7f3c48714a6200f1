"""Options that several commands share, and the system that they name."""

import functools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from orders.domain.order_id import parse_order_id
from orders_cli.console import require_reader, say
from orders_cli.errors import OperatorError
from orders_cli.system import System
from orders_cli.target_discovery import Choice, find_system

# On the local stack these are ignored.
_PERSONAL_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


class Target:
    """The system that the options name. It is looked up when the command asks for it, after its own checks."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def find(self) -> System:
        system = find_system(self._choice)
        say(f"using {system.name}, {system.origin}")
        ignored = [name for name in _PERSONAL_VARIABLES if os.environ.get(name)]
        if system.is_local and ignored:
            say(f"{' and '.join(ignored)} {'is' if len(ignored) == 1 else 'are'} ignored: this is the local stack")
        return system


_SYSTEM_OPTIONS = (
    click.option("--local", is_flag=True, help="System: the local stack of `make run`."),
    click.option("--stack-file", type=click.Path(path_type=Path), help="System: the local stack of this stack.json."),
    click.option(
        "--terraform",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIRECTORY",
        help="System: what Terraform has applied in this directory.",
    ),
    click.option("--stack", metavar="NAME", help="System: the CloudFormation stack of this name."),
    click.option("--region", help="The AWS region, instead of AWS_REGION."),
    click.option("--profile", help="The AWS profile, instead of AWS_PROFILE."),
)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_MODE_OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Only report what would be done."),
    click.option("--yes", is_flag=True, help="Do not ask. Required without a terminal."),
    _JSON,
)


@dataclass(frozen=True)
class Mode:
    """How a command changes something."""

    dry_run: bool
    yes: bool
    as_json: bool

    def confirm(self, question: str) -> None:
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise OperatorError("Nothing was done: there is no terminal to ask for consent. Add --yes.")
        if not click.confirm(question, err=True):
            raise OperatorError("Nothing was done.")

    def confirm_in_production(self, system: System, what: str) -> None:
        if system.is_production and not self.dry_run:
            self.confirm(f"This is {system.name}. {what}?")


def on_system(function: Any) -> Any:
    """Hand a command that reads its `target`, and whether the output is to be JSON."""
    return _with_options(function, (_JSON, *_SYSTEM_OPTIONS), is_reader_needed=True)


def changes_system(function: Any) -> Any:
    """Hand a command that changes something its `target` and `mode`. It goes on when nobody reads its output."""

    @functools.wraps(function)
    def command(*arguments: Any, **given: Any) -> Any:
        mode = Mode(**{field.name: given.pop(field.name) for field in fields(Mode)})
        return function(*arguments, mode=mode, **given)

    return _with_options(command, (*_MODE_OPTIONS, *_SYSTEM_OPTIONS), is_reader_needed=False)


def _with_options(function: Any, options: Iterable[Any], *, is_reader_needed: bool) -> Any:
    @functools.wraps(function)
    def command(*arguments: Any, **given: Any) -> Any:
        choice = Choice(**{field.name: given.pop(field.name) for field in fields(Choice)})
        named = [bool(choice.local or choice.stack_file), bool(choice.terraform), bool(choice.stack)]
        if sum(named) > 1:
            raise click.UsageError("--local, --terraform and --stack each name a system: give one of them.")
        if named[0] and (choice.region or choice.profile):
            raise click.UsageError("The local stack has no --region and no --profile.")
        require_reader(is_reader_needed)
        return function(*arguments, target=Target(choice), **given)

    for option in reversed(tuple(options)):
        command = option(command)
    return command


class OrderId(click.ParamType[str]):
    """The id of an order; spaces around it and its letters' case do not matter."""

    name = "order_id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if (order_id := parse_order_id(str(value).strip())) is None:
            self.fail("this is not an order id (its checksum is wrong). Check it for typos.")
        return order_id
