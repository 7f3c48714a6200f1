"""Programs of scripts/ import each other in one direction; what runs without .venv needs only the standard library."""

import sys
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY
from support.repository.imports import imports_of

SCRIPTS = REPOSITORY / "scripts"

# What each program may import besides libraries. A program that is not listed imports no other.
MAY_IMPORT: dict[str, set[str]] = {
    "local_stack": {"build_lambda", "deployed_outputs", "orders", "terraform_provider"},
    "bench": {"build_lambda", "local_stack", "orders"},
    "orders_cli": {"deployed_outputs", "local_stack", "orders"},
    "planning": {"local_stack", "orders"},
}

MODULES = sorted(SCRIPTS.rglob("*.py"))


def program_of(module: Path) -> str:
    return module.relative_to(SCRIPTS).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_program_imports_only_what_the_table_allows(module: Path) -> None:
    program, imported = program_of(module), imports_of(module)
    top_level = {name.partition(".")[0] for name in imported}
    others = {program_of(each) for each in MODULES} | {"orders"}
    assert top_level & (others - {program}) <= MAY_IMPORT.get(program, set())
    if program == "orders_cli" and module.parent.name != "commands" and module.name != "program.py":
        assert not any(name.startswith("orders_cli.commands") for name in imported)
    if program == "set_up_venv":
        assert top_level <= sys.stdlib_module_names, "it runs before anything is installed"
