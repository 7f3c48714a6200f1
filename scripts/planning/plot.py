"""A run of the capacity model as a picture: rates, backlog, the oldest order and the mapping over time."""

from pathlib import Path

from planning.outcome import Outcome
from planning.run import Record

# More points than a picture is wide make the file large and say nothing.
_MOST_POINTS = 1_000


def draw(record: Record, result: Outcome, path: Path) -> None:
    """Write the picture to `path`; its suffix, .svg or .png, says the format."""
    import matplotlib as mpl
    import numpy as np
    from matplotlib.figure import Figure

    length = len(record.waiting)
    every = max(1, length // _MOST_POINTS)
    times = np.arange(0, length, every) * record.step_seconds
    unit, divisor = ("h", 3600) if times[-1] > 3 * 3600 else ("min", 60) if times[-1] > 300 else ("s", 1)

    def rate(counts: list[int]) -> list[float]:
        groups = [counts[start : start + every] for start in range(0, length, every)]
        return [sum(group) / (len(group) * record.step_seconds) for group in groups]

    figure = Figure(figsize=(9, 9), layout="constrained")
    rates, backlog, oldest, places = figure.subplots(4, 1, sharex=True)
    rates.plot(times / divisor, rate(record.offered), label="offered", color="0.6")
    rates.plot(times / divisor, rate(record.accepted), label="accepted")
    rates.plot(times / divisor, rate(record.stored), label="stored", linestyle="--")
    rates.set_ylabel("orders/s")
    rates.legend(loc="upper right")
    rates.set_title(result.profile, fontsize=11)
    backlog.plot(times / divisor, record.waiting[::every], label="orders")
    backlog.plot(times / divisor, record.announcements_waiting[::every], label="announcements", linestyle="--")
    backlog.set_ylabel("waiting")
    backlog.legend(loc="upper right")
    oldest.plot(times / divisor, record.oldest_seconds[::every])
    oldest.set_ylabel("oldest order, s")
    places.plot(times / divisor, record.places[::every])
    places.set_ylabel("batches at a time")
    places.set_xlabel(unit)
    if result.limits:
        first = result.limits[0]
        rates.axvline(first.seconds / divisor, color="tab:red", linewidth=0.8)
        rates.annotate(
            f" first limit: {first.limit.value.setting}",
            (first.seconds / divisor, 0.03),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color="tab:red",
        )
    for axes in (rates, backlog, oldest, places):
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.6g}")
        axes.grid(alpha=0.3)
    # The same run gives the same file: no date in it, and ids that do not change.
    with mpl.rc_context({"svg.hashsalt": "orders"}):
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else {})
