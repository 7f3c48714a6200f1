"""What a picture is made of: components on a grid, the arrows between them, and boxes around them.

Each part names the Terraform resources that it stands for, as patterns of their addresses, so that a test can
tell when the picture and the deployment no longer agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

Point = tuple[float, float]
"""Column and row, counted from the upper left; fractions lie between."""


class Field(Enum):
    """What a service is there for, which is what its colour says; the colours are those of AWS's own icons."""

    COMPUTE = "compute"
    DATABASE = "database"
    MESSAGING = "messaging"
    NETWORK = "network"
    WATCHING = "watching"
    OUTSIDE = "outside"


class Flow(Enum):
    """What goes along an arrow, which is what its stroke says."""

    MAIN = "main"
    SIDE = "side"
    FAILURE = "failure"


class Frame(Enum):
    """What a box is drawn around."""

    ACCOUNT = "account"
    NETWORK = "network"
    ZONE = "zone"
    FLEET = "fleet"


@dataclass(frozen=True)
class Component:
    """One tile: a thing that runs, keeps or carries something, or a person."""

    name: str
    kind: str
    """The service or sort of thing, in words that its users know."""
    icon: str
    """A key of icons.ICONS."""
    field: Field
    at: Point
    stands_for: tuple[str, ...] = ()
    """Patterns of Terraform addresses; none for what Terraform does not make."""
    is_optional: bool = False
    """Whether a deployment with all defaults goes without it."""


@dataclass(frozen=True)
class Arrow:
    """A way from one component to another, straight or around the corners `via`."""

    source: str
    target: str
    flow: Flow
    label: str = ""
    note: str = ""
    """A second line, on the other side of the arrow."""
    via: tuple[Point, ...] = ()
    label_share: float = 0.5
    """How far along its first level stretch the label stands, from 0 to 1."""
    stands_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Box:
    """A frame around components, from its upper left to its lower right corner."""

    label: str
    frame: Frame
    start: Point
    end: Point
    stands_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One whole picture of one Terraform folder."""

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
    too_small: Mapping[str, str]
    """Types of resources that are left out, and why."""

    def parts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield every part that may stand for resources: how to call it, and the patterns."""
        for key, component in self.components.items():
            yield f"the component {key}", component.stands_for
        for arrow in self.arrows:
            yield f"the arrow from {arrow.source} to {arrow.target}", arrow.stands_for
        for box in self.boxes:
            yield f"the box {box.label}", box.stands_for
