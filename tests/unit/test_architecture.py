"""The diagrams show the resources that Terraform deploys, and are up to date with their source."""

import re
from fnmatch import fnmatchcase

import pytest

from drawings.model import Category
from drawings.pictures import PICTURES
from drawings.svg import draw
from support.repository.files import REPOSITORY
from support.repository.terraform import declared_resources

each_diagram = pytest.mark.parametrize("name", PICTURES)


def test_every_terraform_folder_has_a_diagram() -> None:
    folders = {path.parent.name for path in REPOSITORY.glob("*/main.tf")}
    assert {picture.folder for picture in PICTURES.values()} == folders


@each_diagram
def test_diagram_shows_exactly_what_terraform_deploys(name: str) -> None:
    picture = PICTURES[name]
    source = f"architecture/drawings/{picture.folder.removeprefix('terraform-')}.py; then run `make draw`"
    addresses = set(declared_resources(REPOSITORY / picture.folder))
    patterns = [pattern for _, resources in picture.parts() for pattern in resources]
    drawn = {address for address in addresses if any(fnmatchcase(address, pattern) for pattern in patterns)}
    omitted = {address for address in addresses if address.split(".")[-2] in picture.omitted}
    unused = [pattern for pattern in patterns if not any(fnmatchcase(address, pattern) for address in addresses)]

    assert addresses - drawn - omitted == set(), f"not in the diagram: add a part, or omitted, to {source}"
    assert drawn & omitted == set(), f"both drawn and omitted in {source}"
    assert unused == [], f"not deployed: remove it from {source}"
    assert picture.omitted.keys() <= {address.split(".")[-2] for address in addresses}, f"not deployed: {source}"
    for component in picture.components.values():
        assert (component.category is Category.OUTSIDE) == (not component.resources), f"{component.name} in {source}"


@each_diagram
def test_diagram_is_up_to_date_and_shown_with_alternative_text(name: str) -> None:
    assert (REPOSITORY / "architecture" / name).read_text(encoding="utf-8") == draw(PICTURES[name]), "run `make draw`"
    pages = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in ("README.md", "docs/deploy.md"))
    assert re.search(rf"!\[([^\]]{{60,}})\]\((\.\./)?architecture/{re.escape(name)}\)", pages)
