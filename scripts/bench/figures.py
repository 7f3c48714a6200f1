"""Figures: what was measured, its floor, and how the two compare with the target."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value of the system, beside the floor that was measured in the same run."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""
    ratio: float | None = None
    """Of value to floor. Where both were measured in turn, the median over the pairs."""
    at_most: float | None = None
    """The target for the ratio, or for the value where there is no floor."""
    at_least: float | None = None
    """The same, where more is better."""
    value_at_most: float | None = None
    """A target for the value besides the one for the ratio."""

    @property
    def met(self) -> bool | None:
        """Whether every target is met; None where there is none."""
        compared = self.value if self.ratio is None else self.ratio
        verdicts = [
            *([compared <= self.at_most] if self.at_most is not None else []),
            *([compared >= self.at_least] if self.at_least is not None else []),
            *([self.value <= self.value_at_most] if self.value_at_most is not None else []),
        ]
        return all(verdicts) if verdicts else None

    def to_document(self) -> dict[str, Any]:
        """Return the figure as a JSON object."""
        return {**asdict(self), "met": self.met}


def compared(
    name: str, values: Sequence[float], floors: Sequence[float], unit: str, floor_name: str, **targets: float
) -> Figure:
    """Return the figure of samples that were taken in turn: medians, and the median of the pairs' ratios."""
    return Figure(
        name,
        statistics.median(values),
        unit,
        statistics.median(floors),
        floor_name,
        statistics.median(value / floor for value, floor in zip(values, floors, strict=True)),
        **targets,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of `values` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def markdown(figures: Sequence[Figure]) -> list[str]:
    """Return a table for a Markdown page, line by line."""
    rows = ["| measured | here | floor | ratio | target |", "|---|---:|---:|---:|---|"]
    for figure in figures:
        floor = "" if figure.floor is None else f"{_amount(figure.floor, figure.unit)}, {figure.floor_name}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        here = _amount(figure.value, figure.unit)
        rows.append(f"| {figure.name} | {here} | {floor} | {ratio} | {_target(figure)} |")
    return rows


def _target(figure: Figure) -> str:
    parts = [
        *([f"≤ {figure.at_most:g}"] if figure.at_most is not None else []),
        *([f"≥ {figure.at_least:g}"] if figure.at_least is not None else []),
        *([f"≤ {_amount(figure.value_at_most, figure.unit)}"] if figure.value_at_most is not None else []),
    ]
    return " and ".join(parts) + (", **missed**" if figure.met is False else "")


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
