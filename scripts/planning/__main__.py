"""`orders-plan`: capacity and cost of a deployment, computed without an AWS account."""

import click

from planning.capacity_command import capacity
from planning.cost_command import cost
from planning.pages import docs


@click.group()
def planning() -> None:
    """Compute how many orders a deployment can take and what it costs per month."""


planning.add_command(capacity)
planning.add_command(cost)
planning.add_command(docs)


def main() -> None:
    """Run the command line of this process and exit."""
    planning(prog_name="orders-plan")


if __name__ == "__main__":
    main()
