"""docs/openapi.yaml as the tests read it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import yaml

from support.repository.files import REPOSITORY

PATH = REPOSITORY / "docs" / "openapi.yaml"


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
        if "operationId" in operation
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
