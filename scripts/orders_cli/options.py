"""Options that several commands share, and the system that they select."""

import functools
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from orders.domain.order_id import parse_order_id
from orders_cli.console import report
from orders_cli.errors import NOT_FOUND, OperatorError
from orders_cli.system import Target

_AGO = re.compile(r"(\d{1,6})\s?([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

FILE = click.Path(path_type=Path)
_DIRECTORY = click.Path(path_type=Path, file_okay=False, exists=True)

_SYSTEM_OPTIONS = (
    click.option("--local", is_flag=True, help="System: the local stack of `make run`."),
    click.option("--stack-file", type=FILE, help="System: the local stack of this stack.json."),
    click.option("--terraform", type=_DIRECTORY, help="System: the one that Terraform applied in this directory."),
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
    """The options of a command that changes something."""

    dry_run: bool
    yes: bool
    as_json: bool

    def confirm(self, question: str | None) -> None:
        """Ask the question, if there is one; raise OperatorError unless the answer is yes."""
        if self.yes or question is None:
            return
        if not sys.stdin.isatty():
            raise OperatorError("Nothing was done: without a terminal, confirm with --yes.")
        if not click.confirm(question, err=True):
            raise OperatorError("Nothing was done.")

    def should_do(self, what: str, question: str | None) -> bool:
        """Ask before a change; with --dry-run, only report what would be done."""
        if self.dry_run:
            report(f"{what}; nothing was done")
        else:
            self.confirm(question)
        return not self.dry_run


def on_system(function: Any, options: Iterable[Any] = (_JSON,)) -> Any:
    """Add the options of a read-only command, which receives `target` and `as_json`."""

    @functools.wraps(function)
    def command(*arguments: Any, **given: Any) -> Any:
        target = Target(**{field.name: given.pop(field.name) for field in fields(Target)})
        named = [bool(target.local or target.stack_file), bool(target.terraform), bool(target.stack)]
        if sum(named) > 1:
            raise click.UsageError("--local, --terraform and --stack each name a system: give one of them.")
        if named[0] and (target.region or target.profile):
            raise click.UsageError("--region and --profile do not apply to the local stack.")
        if "dry_run" in given:
            given["mode"] = Mode(**{field.name: given.pop(field.name) for field in fields(Mode)})
        return function(*arguments, target=target, **given)

    for option in reversed((*options, *_SYSTEM_OPTIONS)):
        command = option(command)
    return command


# A command that changes something receives `mode` instead of `as_json`.
changes_system = functools.partial(on_system, options=_MODE_OPTIONS)


class OrderId(click.ParamType[str]):
    """The id of an order; spaces around it and its letters' case do not matter."""

    name = "order_id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if (order_id := parse_order_id(str(value).strip())) is None:
            raise OperatorError(f"{value} is not an order id: its checksum is wrong. Check it for typos.", NOT_FOUND)
        return order_id


def not_empty(_context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Check a required text; spaces around it do not matter."""
    if not text.strip():
        raise click.BadParameter("it is empty.", param=parameter)
    return text.strip()


def _new_file(_context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path and os.path.lexists(path):
        raise click.BadParameter(f"{path} already exists and is not overwritten. Name another file.", param=parameter)
    return path


customer_option = click.option("--customer", required=True, callback=not_empty, help="The customer_id.")
new_file_option = click.option(
    "--to", "file", type=FILE, callback=_new_file, help="The file to create. Default: named after the time."
)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Moment(click.ParamType[datetime]):
    """A moment: 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d ago; UTC unless it has an offset.

    The end of a period includes the whole day or second.
    """

    name = "moment"

    def __init__(self, *, is_end: bool = False) -> None:
        self._is_end = is_end

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value).strip()
        try:
            if ago := _AGO.fullmatch(text):
                return utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(text)
            if self._is_end and not re.search("[T ]", text):
                moment = moment.replace(hour=23, minute=59, second=59)
            if self._is_end and not moment.microsecond:
                moment = moment.replace(microsecond=999000)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is not a moment: write 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d for ago.")
