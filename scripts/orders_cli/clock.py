"""The present, and moments as an operator types them."""

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"(\d{1,6})\s?([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# How many digits of a time of day mean which unit.
_PRECISIONS = {0: timedelta(days=1), 2: timedelta(hours=1), 4: timedelta(minutes=1), 6: timedelta(seconds=1)}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Moment(click.ParamType[datetime]):
    """A moment: 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d ago; UTC unless it has an offset.

    As the end of a period it includes the whole day, minute or second that it names.
    """

    name = "moment"

    def __init__(self, *, is_end: bool = False) -> None:
        self._is_end = is_end

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "MOMENT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            if ago := _AGO.fullmatch(text):
                return utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(text)
            if self._is_end:
                moment += _remainder(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is not a moment: write 2025-04-25, 2025-04-25T10:00:00Z, or 90m, 24h, 7d for ago.")


def _remainder(text: str) -> timedelta:
    """Return the time from a moment to the last millisecond of the day, minute or second that its text names."""
    time_of_day = re.split("[T ]", text, maxsplit=1)[1:] or [""]
    clock = re.split("[Z+-]", time_of_day[0])[0].replace(":", "")
    unit = _PRECISIONS.get(len(clock))
    return unit - timedelta(milliseconds=1) if unit else timedelta()
