"""docs/openapi.yaml as the tests read it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from typing import Any

import yaml

from support.repository.files import REPOSITORY

PATH = REPOSITORY / "docs" / "openapi.yaml"

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@dataclass(frozen=True)
class Response:
    """One documented response of one operation. References are resolved, except those within schemas."""

    route: str
    """The operation, as API Gateway writes a route's key: "POST /orders"."""
    status: int
    headers: dict[str, Any]
    content: dict[str, Any]
    """Media types."""

    @property
    def codes(self) -> set[str]:
        """The problem codes that it may carry."""
        problem = self.content.get("application/problem+json")
        if problem is None:
            return set()
        return set(resolved(problem["schema"])["allOf"][1]["properties"]["code"]["enum"])


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(PATH.read_text())
    return loaded


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    }


def responses() -> Iterator[Response]:
    for route, operation in operations().items():
        for status, reference in operation["responses"].items():
            response = resolved(reference)
            yield Response(
                route,
                int(status),
                {name: resolved(header) for name, header in response.get("headers", {}).items()},
                response.get("content", {}),
            )


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """Return the target of a reference within the document; return anything else unchanged."""
    while "$ref" in value:
        value = reduce(dict.__getitem__, value["$ref"].removeprefix("#/").split("/"), document())
    return value


def generate_client(package: Path) -> None:
    """Generate the Python client into the folder `package`. Fail if the generator warns, which it does for anything that it cannot type."""
    tools = Path(sys.executable).parent
    generated = subprocess.run(
        [tools / "openapi-python-client", "generate", "--meta", "none", "--path", PATH, "--output-path", package],
        env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},  # it formats with ruff
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        text=True,
    )
    assert "arning" not in generated.stdout, generated.stdout
