"""`python -m planning docs`, which `make docs` runs: brings the figures of docs/scaling.md and docs/cost.md up to date.

Whatever these pages say in numbers is the output of a command that stands above it. A block begins with
a comment that holds the command, and ends with another; what is between them is replaced:

    <!-- `orders-plan cost target`, by `make docs` -->
    …
    <!-- end -->
"""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import click

from planning.capacity_command import capacity
from planning.cost_command import cost
from planning.errors import PlanningError

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = (REPOSITORY / "docs" / "scaling.md", REPOSITORY / "docs" / "cost.md")
_COMMANDS: dict[str, click.Command] = {"capacity": capacity, "cost": cost}
_BLOCK = re.compile(r"(<!-- `(orders-plan [^`]+)`, by `make docs` -->\n).*?(<!-- end -->)", re.MULTILINE | re.DOTALL)


def brought_up_to_date(text: str) -> str:
    """Return a page's text with the output of each command that it names."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_fenced(block[2])}\n\n{block[3]}", text)


def _fenced(command: str) -> str:
    return f"```\n$ {command}\n{_output(command)}\n```"


def _output(command: str) -> str:
    _, name, *arguments = shlex.split(command)
    if name not in _COMMANDS:
        raise PlanningError(f"`{command}` is no planning command: name capacity or cost.")
    printed = io.StringIO()
    with redirect_stdout(printed):
        _COMMANDS[name].main(arguments, prog_name=f"orders-plan {name}", standalone_mode=False)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail where something would be.")
def docs(check: bool) -> None:
    """Run every command that docs/scaling.md and docs/cost.md name, and put in what it prints."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        new = brought_up_to_date(text)
        if new == text:
            continue
        if check:
            raise PlanningError(f"{path.relative_to(REPOSITORY)} is behind: run `make docs`.")
        path.write_text(new, encoding="utf-8")
        click.echo(f"{path.relative_to(REPOSITORY)} brought up to date")
