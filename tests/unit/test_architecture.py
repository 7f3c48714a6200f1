"""The diagrams show the resources that Terraform deploys, and are up to date with their source."""

import re
from fnmatch import fnmatchcase
from xml.etree import ElementTree

import pytest

from drawings.icons import ICONS
from drawings.model import Field, Picture
from drawings.pictures import PICTURES
from drawings.svg import describe, draw
from support.repository.files import REPOSITORY
from support.repository.terraform import declared_resources

each_diagram = pytest.mark.parametrize("name", PICTURES)


def source_of(picture: Picture) -> str:
    return f"architecture/drawings/{picture.folder.removeprefix('terraform-')}.py; then run `make draw`"


def test_every_terraform_folder_has_a_diagram() -> None:
    folders = {path.parent.name for path in REPOSITORY.glob("*/main.tf")}
    assert {picture.folder for picture in PICTURES.values()} == folders


@each_diagram
def test_diagram_shows_exactly_what_terraform_deploys(name: str) -> None:
    picture = PICTURES[name]
    addresses = list(declared_resources(REPOSITORY / picture.folder))
    patterns = [pattern for _, stands_for in picture.parts() for pattern in stands_for]
    drawn = {address for address in addresses if any(fnmatchcase(address, pattern) for pattern in patterns)}
    small = {address for address in addresses if address.split(".")[-2] in picture.omitted}
    types = {address.split(".")[-2] for address in addresses}
    unused = [pattern for pattern in patterns if not any(fnmatchcase(address, pattern) for address in addresses)]

    assert set(addresses) - drawn - small == set(), (
        f"not in the diagram: add a part, or omitted, to {source_of(picture)}"
    )
    assert drawn & small == set(), f"both drawn and omitted in {source_of(picture)}"
    assert unused == [], f"not deployed: remove it from {source_of(picture)}"
    assert picture.omitted.keys() <= types, f"not deployed: remove it from omitted in {source_of(picture)}"


@each_diagram
def test_part_without_a_resource_is_outside_terraform(name: str) -> None:
    for key, component in PICTURES[name].components.items():
        assert (component.field is Field.OUTSIDE) == (not component.stands_for), f"{key} in {source_of(PICTURES[name])}"


@each_diagram
def test_diagram_is_up_to_date(name: str) -> None:
    file = REPOSITORY / "architecture" / name
    assert file.read_text(encoding="utf-8") == draw(PICTURES[name]), "run `make draw`"


@each_diagram
def test_diagram_contains_all_texts_and_no_external_reference(name: str) -> None:
    picture = PICTURES[name]
    document = draw(picture)
    root = ElementTree.fromstring(document)
    written = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    names = {component.name for component in picture.components.values()}
    labels = {text for arrow in picture.arrows for text in (arrow.label, arrow.note) if text}
    description = describe(picture)
    assert names | labels | {box.label for box in picture.boxes} <= written
    assert all(each in description for each in names)
    assert description in (root.findtext("{http://www.w3.org/2000/svg}desc") or "")
    assert set(re.findall(r"https?://[^\"]+", document)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|href|url\((?!#)|@import", document)


def test_every_icon_is_used() -> None:
    used = {component.icon for picture in PICTURES.values() for component in picture.components.values()}
    assert used == ICONS.keys()


@each_diagram
def test_diagram_is_shown_with_alternative_text(name: str) -> None:
    pages = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in ("README.md", "docs/deploy.md"))
    assert re.search(rf"!\[([^\]]{{60,}})\]\((\.\./)?architecture/{re.escape(name)}\)", pages)
