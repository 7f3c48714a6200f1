"""`orders-plan docs`, run by `make docs`: updates the command output in docs/scaling.md and docs/cost.md.

<!-- `orders-plan cost target`, by `make docs` -->
… replaced by the command's output
<!-- end -->
"""

import re
import shlex
from pathlib import Path

import click
from click.testing import CliRunner

from planning.capacity_command import capacity
from planning.cost_command import cost
from planning.settings import PlanningError

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = (REPOSITORY / "docs" / "scaling.md", REPOSITORY / "docs" / "cost.md")
_COMMANDS: dict[str, click.Command] = {"capacity": capacity, "cost": cost}
_BLOCK = re.compile(r"(<!-- `(orders-plan [^`]+)`, by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)


def updated(text: str) -> str:
    """Return a page's text with the present output of each command that it names."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n```\n$ {block[2]}\n{_output(block[2])}\n```\n\n{block[3]}", text)


def _output(command: str) -> str:
    _, name, *arguments = shlex.split(command)
    if name not in _COMMANDS:
        raise PlanningError(f"`{command}` is not a planning command: name capacity or cost.")
    result = CliRunner().invoke(_COMMANDS[name], arguments, prog_name=f"orders-plan {name}")
    if result.exit_code:
        raise PlanningError(f"`{command}` failed: {result.output.strip()}")
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


@click.command()
def docs() -> None:
    """Update the command output in docs/scaling.md and docs/cost.md."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        if (new := updated(text)) != text:
            path.write_text(new, encoding="utf-8")
            click.echo(f"{path.relative_to(REPOSITORY)} updated")
