"""The diagrams show the resources that Terraform deploys."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY

# This relies on the format of `terraform fmt`, which `make check` enforces.
_RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)" \{$', re.MULTILINE)
_MODULE = re.compile(r'^module "(\w+)" \{\n\s+source\s+= "\./([\w/-]+)"$', re.MULTILINE)
_ANY_MODULE = re.compile(r"^module ", re.MULTILINE)

TIERS = [path.parent for path in sorted(REPOSITORY.glob("*/main.tf"))]


def declared_resources(folder: Path) -> Iterator[str]:
    """Yield the address of every resource that `folder` and the modules it calls declare, without indexes."""
    for source in sorted(folder.glob("*.tf")):
        text = source.read_text(encoding="utf-8")
        for kind, name in _RESOURCE.findall(text):
            yield f"{kind}.{name}"
        calls = _MODULE.findall(text)
        assert len(calls) == len(_ANY_MODULE.findall(text)), (
            f"{source.name}: begin each module with its source, ./modules/…"
        )
        for name, path in calls:
            for address in declared_resources(folder / path):
                yield f"module.{name}.{address}"


@pytest.mark.parametrize("folder", TIERS, ids=lambda folder: folder.name)
def test_diagram_shows_exactly_what_terraform_deploys(folder: Path) -> None:
    name = f"orderprocessingsystem-{folder.name.removeprefix('terraform-')}.svg"
    diagram = ET.parse(REPOSITORY / "architecture" / name).getroot()
    patterns = {pattern for part in diagram.iter() for pattern in part.get("data-resources", "").split()}
    notes = diagram.findtext("{http://www.w3.org/2000/svg}metadata") or ""
    omitted = set(re.findall(r"^ *(aws_\w+): \w", notes, re.MULTILINE))
    addresses = set(declared_resources(folder))
    types = {address.split(".")[-2] for address in addresses}
    drawn = {address for address in addresses if any(fnmatchcase(address, pattern) for pattern in patterns)}

    assert {address for address in addresses - drawn if address.split(".")[-2] not in omitted} == set(), name
    assert {address for address in drawn if address.split(".")[-2] in omitted} == set(), (
        f"both shown and omitted: {name}"
    )
    assert {pattern for pattern in patterns if not any(fnmatchcase(a, pattern) for a in addresses)} == set(), name
    assert omitted <= types, f"not deployed: {name}"
    pages = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in ("README.md", "docs/deploy.md"))
    assert re.search(rf"!\[([^\]]{{60,}})\]\((\.\./)?architecture/{re.escape(name)}\)", pages), "no alternative text"
