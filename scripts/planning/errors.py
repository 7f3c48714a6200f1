"""What can go wrong while planning, said in one sentence."""

import click


class PlanningError(click.ClickException):
    """The plan cannot be made; the text is a sentence that says what is wrong and what to do."""
