"""Render a diagram as deterministic SVG for light and dark pages.

GitHub shows it as an image, so it has its own background, uses the reader's fonts, follows the color scheme by a
media query, and has no external references.
"""

from collections.abc import Iterator
from html import escape
from itertools import pairwise
from math import hypot

from drawings.icons import ICONS
from drawings.model import Arrow, Box, Component, Flow, Frame, Picture, Point

# All measures are pixels at the picture's natural size.
COLUMN = 116
ROW = 126
SIDE_MARGIN = 76
TOP_MARGIN = 160
BOTTOM_MARGIN = 136

TILE = 52
GLYPH = 30
NAME_BELOW_TILE = 19
KIND_BELOW_TILE = 35
# Distance of an arrow from the tile if the component's text is in between.
FOOT_BELOW_TILE = 44

GAP = 5  # between a tile and the arrows that touch it
CORNER = 12
ARROWHEAD = 7

LIGHT = {
    "paper": "#ffffff",
    "edge": "#d1d9e0",
    "ink": "#1f2328",
    "faint": "#59636e",
    "panel": "#f6f8fa",
    "main": "#0969da",
    "side": "#6e7781",
    "failure": "#cf222e",
    "network": "#8250df",
    "fleet": "#bc4c00",
}
DARK = {
    "paper": "#0d1117",
    "edge": "#3d444d",
    "ink": "#f0f6fc",
    "faint": "#9198a1",
    "panel": "#151b23",
    "main": "#4493f8",
    "side": "#9198a1",
    "failure": "#f85149",
    "network": "#ab7df8",
    "fleet": "#db6d28",
}
# The colors of AWS's icons. White lines are readable on them in both color schemes.
CATEGORY_COLORS = {
    "compute": "#d86613",
    "database": "#c925d1",
    "messaging": "#e7157b",
    "network": "#8c4fff",
    "monitoring": "#b0084d",
    "outside": "#6e7781",
}

FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif'


def draw(picture: Picture) -> str:
    """Return the picture as an SVG document."""
    width = 2 * SIDE_MARGIN + picture.columns * COLUMN
    height = TOP_MARGIN + BOTTOM_MARGIN + picture.rows * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(width)} {_number(height)}" '
        f'width="{_number(width)}" height="{_number(height)}" role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(picture.title)}</title>',
        f'<desc id="description">{escape(describe(picture))}</desc>',
        f"<style>{_style()}</style>",
        *_arrowheads(),
        f'<rect class="paper" x="0.5" y="0.5" width="{_number(width - 1)}" height="{_number(height - 1)}" rx="14"/>',
        _text(30, 46, picture.title, "title"),
        _text(30, 68, picture.subtitle, "subtitle"),
        *(line for box in picture.boxes for line in _box(box)),
        *(line for arrow in picture.arrows for line in _arrow(arrow, picture)),
        *(line for component in picture.components.values() for line in _component(component)),
        # Labels last, above all lines.
        *(line for arrow in picture.arrows for line in _arrow_label(arrow, picture)),
        *_legend(picture, height),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def describe(picture: Picture) -> str:
    """Describe the diagram in words, for screen readers."""

    def name_of(key: str) -> str:
        component = picture.components[key]
        return f"{component.name} ({component.kind})"

    sentences = []
    for arrow in picture.arrows:
        label = ", ".join(text for text in (arrow.label, arrow.note) if text)
        sentences.append(f"{name_of(arrow.source)} to {name_of(arrow.target)}{f': {label}' if label else ''}.")
    return " ".join(sentences)


def _style() -> str:
    def scheme(colors: dict[str, str]) -> str:
        rules = [
            f".paper{{fill:{colors['paper']};stroke:{colors['edge']}}}",
            f"text{{fill:{colors['ink']}}}",
            f".kind,.subtitle,.label,.legend,.frame{{fill:{colors['faint']}}}",
            f".box-account{{fill:{colors['panel']};stroke:{colors['edge']}}}",
            f".box-network{{fill:{colors['paper']};stroke:{colors['network']}}}",
            f".box-zone{{stroke:{colors['side']}}}",
            f".box-fleet{{stroke:{colors['fleet']}}}",
            f".frame-network{{fill:{colors['network']}}}",
            f".frame-fleet{{fill:{colors['fleet']}}}",
            f".optional{{stroke:{colors['faint']}}}",
        ]
        for flow in Flow:
            color = colors[flow.value]
            rules.append(f".{flow.value}{{stroke:{color}}}.head-{flow.value}{{fill:{color}}}")
        rules.append(f".label-failure{{fill:{colors['failure']}}}")
        return "".join(rules)

    return "".join(
        [
            f"text{{font-family:{FONT};font-size:12px}}",
            ".title{font-size:22px;font-weight:600;letter-spacing:-.2px}",
            ".subtitle{font-size:14px}",
            ".name{font-size:13px;font-weight:600;text-anchor:middle}",
            ".kind{text-anchor:middle}",
            ".middle{text-anchor:middle}",
            ".end{text-anchor:end}",
            ".frame{font-weight:600}",
            ".line{fill:none;stroke-width:2}",
            ".side{stroke-width:1.5}",
            ".failure{stroke-dasharray:6 4}",
            ".box{fill:none;stroke-width:1.5}",
            ".box-zone{stroke-dasharray:2 4;stroke-linecap:round}",
            ".box-fleet{stroke-dasharray:8 4}",
            ".optional{fill:none;stroke-width:1.5;stroke-dasharray:4 3}",
            ".glyph{fill:none;stroke:#ffffff;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}",
            *(f".{category}{{fill:{color}}}" for category, color in CATEGORY_COLORS.items()),
            scheme(LIGHT),
            f"@media (prefers-color-scheme:dark){{{scheme(DARK)}}}",
        ]
    )


def _arrowheads() -> Iterator[str]:
    yield "<defs>"
    for flow in Flow:
        yield (
            f'<marker id="{flow.value}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" '
            f'markerWidth="{ARROWHEAD + 3}" markerHeight="{ARROWHEAD + 3}" orient="auto">'
            f'<path class="head-{flow.value}" d="M0 .8 10 5 0 9.2z"/></marker>'
        )
    yield "</defs>"


def _component(component: Component) -> Iterator[str]:
    x, y = _place(component.at)
    left, top = x - TILE / 2, y - TILE / 2
    if component.is_optional:
        yield (
            f'<rect class="optional" x="{_number(left - 4)}" y="{_number(top - 4)}" '
            f'width="{TILE + 8}" height="{TILE + 8}" rx="14"/>'
        )
    yield (
        f'<rect class="{component.category.value}" x="{_number(left)}" y="{_number(top)}" '
        f'width="{TILE}" height="{TILE}" rx="11"/>'
    )
    scale = GLYPH / 24
    yield (
        f'<g class="glyph" transform="translate({_number(x - GLYPH / 2)} {_number(y - GLYPH / 2)}) scale({scale:g})">'
        f"{ICONS[component.icon]}</g>"
    )
    foot = y + TILE / 2
    yield _text(x, foot + NAME_BELOW_TILE, component.name, "name")
    yield _text(x, foot + KIND_BELOW_TILE, component.kind, "kind")


def _box(box: Box) -> Iterator[str]:
    (left, top), (right, bottom) = _place(box.start), _place(box.end)
    radius = 10 if box.frame in (Frame.ACCOUNT, Frame.NETWORK) else 8
    yield (
        f'<rect class="box box-{box.frame.value}" x="{_number(left)}" y="{_number(top)}" '
        f'width="{_number(right - left)}" height="{_number(bottom - top)}" rx="{radius}"/>'
    )
    style = f"frame frame-{box.frame.value}"
    if box.frame is Frame.ZONE:
        # On the right, because the fleet's frame crosses the left.
        yield _text(right - 12, top + 20, box.label, f"{style} end")
    else:
        yield _text(left + 12, top + 20, box.label, style)


def _arrow(arrow: Arrow, picture: Picture) -> Iterator[str]:
    flow = arrow.flow.value
    yield f'<path class="line {flow}" marker-end="url(#{flow})" d="{_rounded(_route(arrow, picture))}"/>'


def _arrow_label(arrow: Arrow, picture: Picture) -> Iterator[str]:
    route = _route(arrow, picture)
    level = (ends for ends in pairwise(route) if ends[0][1] == ends[1][1])
    (x1, y1), (x2, y2) = next(level, (route[0], route[1]))
    x, y = x1 + (x2 - x1) * arrow.label_share, y1 + (y2 - y1) * arrow.label_share
    kind = f"label label-{arrow.flow.value}"
    if y1 == y2:
        places = [(x, y - 9, f"{kind} middle"), (x, y + 18, f"{kind} middle")]
    else:
        places = [(x + 10, y - 2, kind), (x + 10, y + 13, kind)]
    for text, place in zip((arrow.label, arrow.note), places, strict=True):
        if text:
            yield _text(place[0], place[1], text, place[2])


def _legend(picture: Picture, height: float) -> Iterator[str]:
    x, y = 30.0, height - 26
    for flow, meaning in picture.legend.items():
        yield f'<path class="line {flow.value}" marker-end="url(#{flow.value})" d="M{_number(x)} {_number(y)}h34"/>'
        yield _text(x + 44, y + 4, meaning, "legend")
        x += 44 + 6.2 * len(meaning) + 28
    if any(component.is_optional for component in picture.components.values()):
        yield f'<rect class="optional" x="{_number(x)}" y="{_number(y - 8)}" width="22" height="16" rx="5"/>'
        yield _text(x + 32, y + 4, "optional", "legend")


def _route(arrow: Arrow, picture: Picture) -> list[Point]:
    source, target = (picture.components[key] for key in (arrow.source, arrow.target))
    corners = [_place(point) for point in arrow.via]
    start, end = _place(source.at), _place(target.at)
    first = corners[0] if corners else end
    last = corners[-1] if corners else start
    return [_end_point(start, first), *corners, _end_point(end, last)]


def _end_point(center: Point, other: Point) -> Point:
    """Return the end point, at a component's tile, of an arrow from a point beside, above or below it."""
    (x, y), (other_x, other_y) = center, other
    reach = TILE / 2 + GAP
    if abs(other_x - x) > TILE / 2:
        return (x + reach if other_x > x else x - reach), other_y if abs(other_y - y) < TILE / 2 else y
    return other_x, (y + TILE / 2 + FOOT_BELOW_TILE if other_y > y else y - reach)


def _rounded(route: list[Point]) -> str:
    path = [f"M{_pair(route[0])}"]
    for before, corner, after in zip(route, route[1:], route[2:], strict=False):
        path.append(f"L{_pair(_towards(corner, before))}Q{_pair(corner)} {_pair(_towards(corner, after))}")
    return "".join([*path, f"L{_pair(route[-1])}"])


def _towards(point: Point, other: Point) -> Point:
    """Return the point that lies a corner's radius from `point` in the direction of `other`."""
    length = hypot(other[0] - point[0], other[1] - point[1])
    share = min(CORNER, length / 2) / length
    return point[0] + (other[0] - point[0]) * share, point[1] + (other[1] - point[1]) * share


def _place(at: Point) -> Point:
    return SIDE_MARGIN + at[0] * COLUMN, TOP_MARGIN + at[1] * ROW


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{_number(x)}" y="{_number(y)}">{escape(text)}</text>'


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{round(value, 2):g}"
