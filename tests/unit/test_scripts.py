"""Programs of scripts/ import each other without a cycle, and scripts/README.md lists each of them."""

import sys
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY
from support.repository.imports import imports_of

SCRIPTS = REPOSITORY / "scripts"

# What each program may import. A program comes after those that it imports.
MAY_IMPORT: dict[str, set[str]] = {
    "audit_packages": set(),
    "aws_emulator": set(),
    "build_lambda": set(),
    "deployed_outputs": set(),
    "set_up_venv": set(),
    "terraform_provider": set(),
    "write_configuration": set(),
    "local_stack": {"build_lambda", "deployed_outputs", "orders", "terraform_provider"},
    "bench": {"build_lambda", "local_stack", "orders"},
    "orders_cli": {"deployed_outputs", "local_stack", "orders"},
    "planning": {"local_stack", "orders"},
}

MODULES = sorted(SCRIPTS.rglob("*.py"))


def program_of(module: Path) -> str:
    return module.relative_to(SCRIPTS).parts[0].removesuffix(".py")


def test_every_program_is_in_the_table_and_the_readme() -> None:
    readme = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    assert {program_of(module) for module in MODULES} == MAY_IMPORT.keys()
    for name in MAY_IMPORT:
        assert f"`{name}{'' if (SCRIPTS / name).is_dir() else '.py'}`" in readme


def test_imports_have_no_cycle() -> None:
    order = ["orders", *MAY_IMPORT]
    assert all(order.index(used) < order.index(name) for name, uses in MAY_IMPORT.items() for used in uses)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_program_imports_only_what_the_table_allows(module: Path) -> None:
    program, imported = program_of(module), imports_of(module)
    own_packages = (MAY_IMPORT.keys() | {"orders"}) - {program}
    top_level = {name.partition(".")[0] for name in imported}
    assert top_level & own_packages <= MAY_IMPORT[program]
    if program == "orders_cli" and module.parent.name != "commands" and module.name != "program.py":
        assert not any(name.startswith("orders_cli.commands") for name in imported)
    if program == "set_up_venv":
        assert top_level <= sys.stdlib_module_names, "it runs before anything is installed"


@pytest.mark.parametrize("folder", ["faults", "support"])
def test_shared_test_code_imports_no_tests(folder: str) -> None:
    folders = {"unit", "integration", "infrastructure", "e2e", "browser"}
    for module in (REPOSITORY / "tests" / folder).rglob("*.py"):
        assert not {name.partition(".")[0] for name in imports_of(module)} & folders, module.name
