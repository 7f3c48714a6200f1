"""The pictures of the architecture show what Terraform deploys, and are drawn from their source."""

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

ARCHITECTURE = REPOSITORY / "architecture"

each_picture = pytest.mark.parametrize("picture", PICTURES.values(), ids=lambda picture: picture.folder)
each_file = pytest.mark.parametrize("name", PICTURES)


def source_of(picture: Picture) -> str:
    """Return where a picture is described, for a person who has to change it."""
    return f"architecture/drawings/{picture.folder.removeprefix('terraform-')}.py"


def type_of(address: str) -> str:
    return address.split(".")[-2]


def test_every_terraform_folder_has_its_picture() -> None:
    folders = {path.parent.name for path in REPOSITORY.glob("*/main.tf")}
    assert {picture.folder for picture in PICTURES.values()} == folders


@each_picture
def test_everything_that_terraform_makes_is_drawn_or_too_small(picture: Picture) -> None:
    patterns = [pattern for _, stands_for in picture.parts() for pattern in stands_for]
    for address in declared_resources(REPOSITORY / picture.folder):
        drawn = any(fnmatchcase(address, pattern) for pattern in patterns)
        small = type_of(address) in picture.too_small
        assert drawn or small, (
            f"{picture.folder} makes {address}, which the picture does not show: in {source_of(picture)}, add it to what a "
            "part stands for, or say in too_small why its type is left out; then run `make draw`"
        )
        assert not (drawn and small), (
            f"{address} is drawn, and its type is called too small in {source_of(picture)}: take it out of one of the two"
        )


@each_picture
def test_everything_that_is_drawn_is_made_by_terraform(picture: Picture) -> None:
    addresses = list(declared_resources(REPOSITORY / picture.folder))
    for part, stands_for in picture.parts():
        for pattern in stands_for:
            assert any(fnmatchcase(address, pattern) for address in addresses), (
                f"{part} of {source_of(picture)} stands for {pattern}, which {picture.folder} does not make: "
                "name what it stands for now, or take it out; then run `make draw`"
            )


@each_picture
def test_what_is_too_small_to_draw_is_made_by_terraform(picture: Picture) -> None:
    unknown = picture.too_small.keys() - {
        type_of(address) for address in declared_resources(REPOSITORY / picture.folder)
    }
    assert not unknown, (
        f"{picture.folder} makes none of these any more: take them out of too_small in {source_of(picture)}"
    )


@each_picture
def test_what_terraform_does_not_make_is_drawn_as_outside(picture: Picture) -> None:
    for key, component in picture.components.items():
        assert (component.field is Field.OUTSIDE) == (not component.stands_for), (
            f"{key} in {source_of(picture)}: what stands for no resource is Field.OUTSIDE, and nothing else is"
        )


@each_file
def test_the_picture_that_is_checked_in_is_drawn_from_its_source(name: str) -> None:
    checked_in = (ARCHITECTURE / name).read_text(encoding="utf-8")
    assert checked_in == draw(PICTURES[name]), f"architecture/{name} is not what its source says: run `make draw`"


@each_file
def test_a_picture_shows_all_its_words_and_refers_to_nothing_outside(name: str) -> None:
    picture = PICTURES[name]
    document = draw(picture)
    root = ElementTree.fromstring(document)
    written = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    names = {component.name for component in picture.components.values()}
    labels = {text for arrow in picture.arrows for text in (arrow.label, arrow.note) if text}
    assert names | labels | {box.label for box in picture.boxes} <= written
    assert set(re.findall(r"https?://[^\"]+", document)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|href|url\((?!#)|@import", document)


@each_picture
def test_a_picture_tells_in_words_what_it_shows(picture: Picture) -> None:
    words = describe(picture)
    assert all(component.name in words for component in picture.components.values())
    assert words in (ElementTree.fromstring(draw(picture)).findtext("{http://www.w3.org/2000/svg}desc") or "")


def test_every_glyph_is_used() -> None:
    used = {component.icon for picture in PICTURES.values() for component in picture.components.values()}
    assert used == ICONS.keys()


@each_file
def test_the_readme_shows_the_picture_and_says_what_it_shows(name: str) -> None:
    pages = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in ("README.md", "docs/deploy.md"))
    shown = re.search(rf"!\[([^\]]{{60,}})\]\((\.\./)?architecture/{re.escape(name)}\)", pages)
    assert shown, f"no page shows architecture/{name} with an alternative text"
