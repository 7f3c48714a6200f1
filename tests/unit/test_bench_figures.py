"""What `make bench` makes of its samples."""

import pytest

from bench.figures import Figure, compared, markdown, percentile


def test_the_ratio_is_the_median_of_the_pairs_so_that_a_slow_moment_counts_for_both() -> None:
    figure = compared("start", [11, 110, 12], [10, 100, 10], "ms", "floor", at_most=1.1)

    assert (figure.value, figure.floor) == (12, 10)
    assert figure.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", 5, "ms"), None),
        (Figure("a", 5, "ms", 5, "floor", 1.0), None),
        (Figure("a", 5, "ms", 5, "floor", 1.1, at_most=1.1), True),
        (Figure("a", 5, "ms", 5, "floor", 1.2, at_most=1.1), False),
        (Figure("a", 5, "/s", 5, "floor", 0.9, at_least=0.9), True),
        (Figure("a", 5, "/s", 5, "floor", 0.8, at_least=0.9), False),
        (Figure("a", 150, "µs", 5, "floor", 30, value_at_most=150), True),
        (Figure("a", 151, "µs", 5, "floor", 30, value_at_most=150), False),
        (Figure("a", 1, "", value_at_most=0), False),
    ],
)
def test_a_target_is_met_or_missed_at_its_very_value(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


def test_a_row_says_all_of_a_figure_and_is_loud_about_a_missed_target() -> None:
    figures = [
        Figure("size", 0.5649, "MB", value_at_most=0.8),
        Figure("calls", 2, "", value_at_most=1),
        Figure("start", 1234.5, "M", 1000, "boto3", 1.2345, at_most=1.1),
    ]

    assert markdown(figures)[2:] == [
        "| size | 0.565 MB |  |  | ≤ 0.8 MB |",
        "| calls | 2 |  |  | ≤ 1, **missed** |",
        "| start | 1,234 M | 1,000 M, boto3 | 1.23 | ≤ 1.1, **missed** |",
    ]


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 5), (95, 10), (99, 10), (10, 1), (11, 2)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile(range(10, 0, -1), percent) == value
