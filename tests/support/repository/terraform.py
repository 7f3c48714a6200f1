"""The resources in the Terraform files. This relies on the format of `terraform fmt`, which `make check` enforces."""

import re
from collections.abc import Iterator
from pathlib import Path

_RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)" \{$', re.MULTILINE)
_MODULE = re.compile(r'^module "(\w+)" \{\n\s+source\s+= "\./([\w/-]+)"$', re.MULTILINE)
_ANY_MODULE = re.compile(r"^module ", re.MULTILINE)


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
