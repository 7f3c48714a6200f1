"""The parts of a diagram: components on a grid, arrows between them, and boxes around them.

Each part names the Terraform resources that it represents, as patterns of their addresses. A test compares the
diagram with the deployment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

Point = tuple[float, float]
"""Column and row from the upper left; fractions are allowed."""


class Category(Enum):
    """The category of a service, which determines its color. The colors are those of AWS's icons."""

    COMPUTE = "compute"
    DATABASE = "database"
    MESSAGING = "messaging"
    NETWORK = "network"
    MONITORING = "monitoring"
    OUTSIDE = "outside"


class Flow(Enum):
    """The kind of an arrow, which determines its stroke."""

    MAIN = "main"
    SIDE = "side"
    FAILURE = "failure"


class Frame(Enum):
    """The kind of a box."""

    ACCOUNT = "account"
    NETWORK = "network"
    ZONE = "zone"
    FLEET = "fleet"


@dataclass(frozen=True)
class Component:
    """One tile: a service, or a person."""

    name: str
    kind: str
    """The service or kind of thing."""
    icon: str
    """A key of icons.ICONS."""
    category: Category
    at: Point
    resources: tuple[str, ...] = ()
    """Patterns of Terraform addresses. Empty for parts that Terraform does not create."""
    is_optional: bool = False
    """Whether a default deployment omits it."""


@dataclass(frozen=True)
class Arrow:
    """An arrow between two components, straight or through the corners `via`."""

    source: str
    target: str
    flow: Flow
    label: str = ""
    note: str = ""
    """A second line, on the other side of the arrow."""
    via: tuple[Point, ...] = ()
    label_share: float = 0.5
    """Position of the label along the first horizontal segment, from 0 to 1."""
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Box:
    """A frame around components, from its upper left to its lower right corner."""

    label: str
    frame: Frame
    start: Point
    end: Point
    resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """The diagram of one Terraform folder."""

    title: str
    subtitle: str
    folder: str
    """The Terraform folder, by its name in the repository."""
    columns: float
    rows: float
    components: Mapping[str, Component]
    arrows: tuple[Arrow, ...]
    boxes: tuple[Box, ...]
    legend: Mapping[Flow, str]
    omitted: Mapping[str, str]
    """Omitted resource types, with the reason."""

    def parts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each part's name and its resource patterns."""
        for key, component in self.components.items():
            yield f"the component {key}", component.resources
        for arrow in self.arrows:
            yield f"the arrow from {arrow.source} to {arrow.target}", arrow.resources
        for box in self.boxes:
            yield f"the box {box.label}", box.resources
