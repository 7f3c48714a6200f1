"""A measurement, its baseline and its target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """Samples of the system and of the baseline, taken in turn."""

    name: str
    unit: str
    values: Sequence[float]
    baselines: Sequence[float]
    baseline_name: str
    target: float
    """The largest ratio allowed, or the smallest if `more_is_better`."""
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """The median ratio over all pairs."""
        return statistics.median(value / base for value, base in zip(self.values, self.baselines, strict=True))

    @property
    def is_met(self) -> bool:
        """Whether the ratio meets the target."""
        return self.ratio >= self.target if self.more_is_better else self.ratio <= self.target

    @property
    def row(self) -> str:
        """The measurement as a row of the Markdown table, with medians."""
        value, baseline = (f"{_amount(statistics.median(each))} {self.unit}" for each in (self.values, self.baselines))
        target = f"{'≥' if self.more_is_better else '≤'} {self.target:g}{'' if self.is_met else ', **missed**'}"
        return f"| {self.name} | {value} | {baseline}, {self.baseline_name} | {self.ratio:.2f} | {target} |"


def markdown_table(measurements: Sequence[Measurement]) -> str:
    """Return the measurements as a Markdown table."""
    head = "| measured | here | baseline | ratio | target |\n|---|---:|---:|---:|---|\n"
    return head + "".join(f"{measurement.row}\n" for measurement in measurements)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
