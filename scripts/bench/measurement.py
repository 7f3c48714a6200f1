"""A measurement, its baseline and its target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """Medians of the system and of the baseline. `ratio` is the median ratio over all pairs."""

    name: str
    unit: str
    value: float
    baseline: float
    baseline_name: str
    ratio: float
    target: float
    """The largest ratio allowed, or the smallest if `more_is_better`."""
    more_is_better: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the ratio meets the target."""
        return self.ratio >= self.target if self.more_is_better else self.ratio <= self.target

    @property
    def row(self) -> str:
        """The measurement as a row of the Markdown table."""
        sign = "≥" if self.more_is_better else "≤"
        return (
            f"| {self.name} | {_amount(self.value)} {self.unit} | {_amount(self.baseline)} {self.unit}, "
            f"{self.baseline_name} | {self.ratio:.2f} | {sign} {self.target:g}{'' if self.is_met else ', **missed**'} |"
        )


def compare(
    name: str,
    unit: str,
    values: Sequence[float],
    baselines: Sequence[float],
    baseline_name: str,
    *,
    target: float,
    more_is_better: bool = False,
) -> Measurement:
    """Compare samples that were taken in turn."""
    return Measurement(
        name,
        unit,
        statistics.median(values),
        statistics.median(baselines),
        baseline_name,
        statistics.median(value / baseline for value, baseline in zip(values, baselines, strict=True)),
        target,
        more_is_better,
    )


def markdown_table(measurements: Sequence[Measurement]) -> str:
    """Return the measurements as a Markdown table."""
    head = "| measured | here | baseline | ratio | target |\n|---|---:|---:|---:|---|\n"
    return head + "".join(f"{measurement.row}\n" for measurement in measurements)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
