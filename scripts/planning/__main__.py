"""`python -m planning`: the planning commands by themselves."""

import click

from planning.calibration import calibrate
from planning.capacity_command import capacity
from planning.cost_command import cost
from planning.documents import docs
from planning.measurement import measure


@click.group()
def planning() -> None:
    """Tell how much a deployment takes and what it costs."""


planning.add_command(capacity)
planning.add_command(cost)
planning.add_command(docs)
planning.add_command(measure)
planning.add_command(calibrate)

if __name__ == "__main__":
    planning(prog_name="python -m planning")
