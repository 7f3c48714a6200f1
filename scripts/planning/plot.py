"""A run of the capacity model as a picture: rates, backlog, the oldest order and the mapping over time."""

from pathlib import Path

from planning.outcome import Outcome
from planning.pipeline import Record

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

    def rate(counts: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        padded = np.zeros(len(times) * every)
        padded[: min(len(counts), len(padded))] = counts[: len(padded)]
        return padded.reshape(-1, every).sum(axis=1) / (every * record.step_seconds)

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
    for hit in result.limits[:3]:
        rates.axvline(hit.seconds / divisor, color="tab:red", linewidth=0.8)
        rates.annotate(
            hit.limit.value.setting.partition(":")[0],
            (hit.seconds / divisor, 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=7,
            color="tab:red",
        )
    for axes in (rates, backlog, oldest, places):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    # The same run gives the same file: no date in it, and ids that do not change.
    with mpl.rc_context({"svg.hashsalt": "orders"}):
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else {})
