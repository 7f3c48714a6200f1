"""When orders arrive: profiles, as the number of orders in each step of time."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from planning.errors import PlanningError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A run has at most this many steps of arrivals, so that an hour at 10,000 a second takes seconds.
_MOST_STEPS = 3_000
_STEPS_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Arrivals:
    """Orders offered to the API; `counts[i]` of them from `i * step_seconds` on."""

    description: str
    step_seconds: float
    counts: "NDArray[np.int64]"

    @property
    def orders(self) -> int:
        """All orders offered."""
        return int(self.counts.sum())

    @property
    def peak_rate(self) -> float:
        """The most orders a second, over one second or one step if that is longer."""
        steps = max(1, round(1 / self.step_seconds))
        whole = self.counts[: len(self.counts) // steps * steps].reshape(-1, steps).sum(axis=1)
        return float(whole.max(initial=0)) / (steps * self.step_seconds)


def constant(rate: float, seconds: float, seed: int) -> Arrivals:
    """Return `rate` orders a second for `seconds`, each at its own moment (a Poisson process)."""
    return _poisson(f"{rate:,.6g} orders/s for {duration(seconds)}", lambda _: rate, seconds, seed)


def daily(orders_per_day: float, peak_factor: float, seed: int) -> Arrivals:
    """Return one day whose rate swings as a sine from midnight, `peak_factor` (1 to 2) times the mean at 18:00."""
    if not 1 <= peak_factor <= 2:
        raise PlanningError("Give a peak factor from 1 (no peak) to 2 (no orders at all at 6:00).")
    mean = orders_per_day / _DAY_SECONDS

    def rate(second: float) -> float:
        return mean * (1 - (peak_factor - 1) * math.sin(2 * math.pi * second / _DAY_SECONDS))

    return _poisson(
        f"{orders_per_day:,.6g} orders in a day, {peak_factor:g} times the mean at 18:00", rate, _DAY_SECONDS, seed
    )


def flash_sale(base_rate: float, peak_rate: float, seconds: float, seed: int) -> Arrivals:
    """Return a sale that starts after a minute: `peak_rate` at once for `seconds`, halving every minute afterwards."""

    def rate(second: float) -> float:
        if second < 60:
            return base_rate
        after = second - 60 - seconds
        return peak_rate if after < 0 else max(base_rate, peak_rate * 0.5 ** (after / 60))

    fading = 60 * math.log2(max(peak_rate / max(base_rate, peak_rate / 1024), 1))
    return _poisson(
        f"{base_rate:,.6g} orders/s, a sale of {peak_rate:,.6g} orders/s for {duration(seconds)}, halving every minute",
        rate,
        60 + seconds + fading,
        seed,
    )


def recorded(path: Path) -> Arrivals:
    """Return the orders of a file with one moment a line: Unix seconds or ISO 8601, in the first column of a CSV.

    A first line that is no moment is a heading. Raises PlanningError where another line is none.
    """
    import numpy as np

    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            texts = [row[0].strip() for row in csv.reader(lines) if row and row[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlanningError(f"{path} cannot be read as text with one moment a line: {type(error).__name__}.") from error
    moments = [_moment(text) for text in texts]
    if moments and moments[0] is None:
        texts, moments = texts[1:], moments[1:]
    known = [moment for moment in moments if moment is not None]
    if not known or len(known) < len(moments):
        place = next((index + 1 for index, moment in enumerate(moments) if moment is None), 1)
        raise PlanningError(
            f"{path} has no moment at place {place}: write Unix seconds or ISO 8601, e.g. 2026-11-27T09:00:00Z, "
            "in the first column."
        )
    seconds = np.asarray(known, dtype=np.float64)
    seconds -= seconds.min()
    span = float(seconds.max())
    step = _step_for(span)
    counts = np.bincount((seconds / step).astype(np.int64)).astype(np.int64)
    return Arrivals(f"{len(known):,} recorded orders over {duration(span)}", step, counts)


def _moment(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _poisson(description: str, rate: Callable[[float], float], seconds: float, seed: int) -> Arrivals:
    import numpy as np

    step = _step_for(seconds)
    means = [rate((index + 0.5) * step) * step for index in range(max(1, round(seconds / step)))]
    return Arrivals(description, step, np.random.default_rng(seed).poisson(means).astype(np.int64))


def _step_for(seconds: float) -> float:
    return next((step for step in _STEPS_SECONDS if seconds / step <= _MOST_STEPS), _STEPS_SECONDS[-1])


def duration(seconds: float) -> str:
    """Return a time in words: "45 s", "1 h 30 min", "2 d 4 h"."""
    if seconds < 10 and round(seconds, 1) != round(seconds):
        return f"{seconds:.1f} s"
    left = round(seconds)
    if left < 120:
        return f"{left} s"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= length:
            parts.append(f"{left // length} {unit}")
            left %= length
    return " ".join(parts[:2])
