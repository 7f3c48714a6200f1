"""Imports point one way: handlers → (adapters, use cases) → domain; and the domain is pure."""

import ast
import sys
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY
from support.repository.imports import imports_of

PACKAGE = REPOSITORY / "lambda" / "orders"
MAY_IMPORT = {
    "domain": {"domain"},
    "use_cases": {"use_cases", "domain"},
    "adapters": {"adapters", "domain"},
    "handlers": {"cold_start", "handlers", "adapters", "use_cases", "domain"},
}
OUTSIDE = {"domain": {"jsonschema"}, "use_cases": set(), "adapters": {"boto3", "botocore"}, "handlers": set()}
# Where the clock, chance, the environment or the world outside would come in.
IMPURE = {
    *("os", "sys", "time", "random", "secrets", "socket", "subprocess", "logging", "urllib", "http", "threading"),
    *("pathlib", "importlib"),
}
IMPURE_CALLS = {
    "now",
    "utcnow",
    "today",
    "uuid1",
    "uuid4",
    "urandom",
    "getenv",
    "open",
    "read_bytes",
    "read_text",
    "files",
}

MODULES = sorted(PACKAGE.glob("*/*.py"))


def test_every_layer_is_looked_at() -> None:
    assert {module.parent.name for module in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_module_imports_only_from_its_own_layer_and_those_below(module: Path) -> None:
    layer = module.parent.name
    for name in imports_of(module):
        top, _, rest = name.partition(".")
        if top == "orders":
            assert rest.partition(".")[0] in MAY_IMPORT[layer], f"{layer}/{module.name} imports {name}"
        else:
            assert top in sys.stdlib_module_names | OUTSIDE[layer], f"{layer}/{module.name} imports {name}"


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("domain/*.py")), ids=lambda path: path.stem)
def test_the_domain_knows_no_clock_chance_or_environment(module: Path) -> None:
    assert not {name.partition(".")[0] for name in imports_of(module)} & IMPURE
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not called & IMPURE_CALLS
