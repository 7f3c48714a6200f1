"""The figures as pictures, where matplotlib is installed."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bench.figures import Figure


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def plot(figures: Sequence[Figure], path: Path) -> None:
    """Draw the ratio of each figure to its floor, with its target, into an SVG file."""
    import_module("matplotlib").use("svg")
    pyplot = import_module("matplotlib.pyplot")

    shown = [figure for figure in figures if figure.ratio is not None][::-1]
    ratios = [figure.ratio or 0.0 for figure in shown]
    colours = ["tab:red" if figure.met is False else "tab:blue" for figure in shown]
    picture, axes = pyplot.subplots(figsize=(9, 1 + 0.28 * len(shown)), layout="constrained")
    places = range(len(shown))
    axes.barh(places, [ratio - 1 for ratio in ratios], left=1, color=colours)
    axes.set_yticks(places, [figure.name for figure in shown])
    axes.axvline(1, color="black", linewidth=1)
    for place, figure in zip(places, shown, strict=True):
        target = figure.at_most if figure.at_most is not None else figure.at_least
        if target is not None:
            axes.plot([target, target], [place - 0.4, place + 0.4], color="black", linestyle=":")
    axes.set_xscale("log")
    axes.set_xlabel("ratio to the floor (line: equal; dotted: target)")
    picture.savefig(path)
    pyplot.close(picture)
