"""Imports point from handlers to adapters and use cases to the domain, and the domain is pure."""

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
LIBRARIES = {"domain": {"jsonschema"}, "use_cases": set(), "adapters": {"boto3", "botocore"}, "handlers": set()}
# Modules and functions that depend on time, randomness, the environment, files or the network.
IMPURE = {
    *("os", "sys", "time", "random", "secrets", "socket", "subprocess", "logging", "urllib", "http", "threading"),
    *("pathlib", "importlib"),
    *("now", "utcnow", "today", "uuid1", "uuid4", "urandom", "getenv", "open", "read_bytes", "read_text", "files"),
}

MODULES = sorted(PACKAGE.glob("*/*.py"))


def test_every_folder_is_a_layer() -> None:
    assert {module.parent.name for module in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_module_imports_only_from_permitted_layers(module: Path) -> None:
    layer = module.parent.name
    for name in imports_of(module):
        top, _, rest = name.partition(".")
        own = rest.partition(".")[0] in MAY_IMPORT[layer]
        assert own if top == "orders" else top in sys.stdlib_module_names | LIBRARIES[layer], name
    if layer == "domain":
        assert not {name.partition(".")[0] for name in imports_of(module)} & IMPURE
        calls = [node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
        names = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
        assert not names & IMPURE
