"""Looks into the Terraform files for single facts, where no plan is needed.

No parser of HCL: it relies on the formatting of `terraform fmt`, which `make check` holds the files to.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from support.repository.files import REPOSITORY

_RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)" \{$', re.MULTILINE)
_MODULE = re.compile(r'^module "(\w+)" \{\n\s+source\s+= "\./([\w/-]+)"$', re.MULTILINE)
_ANY_MODULE = re.compile(r"^module ", re.MULTILINE)


def read_terraform(folder: str, file: str) -> str:
    """Return the text of a file of a Terraform root."""
    return (REPOSITORY / folder / file).read_text(encoding="utf-8")


def block(text: str, opening: str) -> str:
    """Return what stands between the braces that follow `opening`, e.g. 'variable "project"' or 'alarms ='."""
    match = re.search(rf"^([ \t]*){re.escape(opening)} \{{$(.*?)^\1\}}", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"there is no block `{opening}` in the Terraform files any more"
    return match[2]


def entries(body: str) -> list[str]:
    """Return the names that a block's body assigns at its own level, in their order."""
    assigned = re.findall(r"^([ \t]*)([A-Za-z_][A-Za-z0-9_-]*)\s+= ", body, re.MULTILINE)
    indent = min((len(space) for space, _ in assigned), default=0)
    return [name for space, name in assigned if len(space) == indent]


def value(body: str, name: str) -> str:
    """Return what a block's body assigns to `name`, as it stands there without a comment."""
    match = re.search(rf"^[ \t]*{re.escape(name)}\s+= (.+?)(?:\s+#.*)?$", body, re.MULTILINE)
    assert match is not None, f"`{name}` is not assigned in the Terraform files any more"
    return match[1].strip()


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
