"""The present, and moments as an operator writes them."""

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"(\d{1,6})\s?([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Moment(click.ParamType[datetime]):
    """A moment: 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d ago. Without an offset it is UTC."""

    name = "moment"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Say what to write."""
        return "MOMENT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment; fail with a sentence where it is none."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            if ago := _AGO.fullmatch(text):
                return utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no moment: write 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d for ago.")
