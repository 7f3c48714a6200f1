"""Imports between programs of scripts/ have no cycle, and scripts/README.md lists each program."""

import sys
from pathlib import Path

import pytest

from support.repository.files import REPOSITORY
from support.repository.imports import imports_of

SCRIPTS = REPOSITORY / "scripts"

# The programs and the Lambda package that each program may import.
MAY_IMPORT = {
    "aws_emulator": set(),
    "bench": {"build_lambda", "local_stack", "orders"},
    "local_stack": {"build_lambda", "deployed_outputs", "orders", "terraform_provider"},
    "orders_cli": {"deployed_outputs", "local_stack", "orders"},
    "planning": {"local_stack", "orders"},
    "audit_packages": set(),
    "build_lambda": set(),
    "deployed_outputs": set(),
    "set_up_venv": set(),
    "terraform_provider": set(),
    "write_configuration": set(),
}

MODULES = sorted(SCRIPTS.rglob("*.py"))


def program_of(module: Path) -> str:
    return module.relative_to(SCRIPTS).parts[0].removesuffix(".py")


def test_every_program_has_an_entry() -> None:
    assert {program_of(module) for module in MODULES} == MAY_IMPORT.keys()


def test_imports_have_no_cycle() -> None:
    left = {name: uses & MAY_IMPORT.keys() for name, uses in MAY_IMPORT.items()}
    while left:
        below = {name for name, uses in left.items() if not uses}
        assert below, f"these import each other: {', '.join(left)}"
        left = {name: uses - below for name, uses in left.items() if name not in below}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_program_imports_only_lower_programs(module: Path) -> None:
    program = program_of(module)
    ours = (MAY_IMPORT.keys() | {"orders"}) - {program}
    used = {name.partition(".")[0] for name in imports_of(module)}
    assert used & ours <= MAY_IMPORT[program], (
        f"{module.relative_to(SCRIPTS)} imports a program that MAY_IMPORT does not allow"
    )


def test_operator_modules_do_not_import_commands() -> None:
    for module in (SCRIPTS / "orders_cli").glob("*.py"):
        if module.name != "program.py":
            assert not any(name.startswith("orders_cli.commands") for name in imports_of(module)), module.name


def test_set_up_needs_only_python() -> None:
    imported = {name.partition(".")[0] for name in imports_of(SCRIPTS / "set_up_venv.py")}
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_readme_lists_each_program(name: str) -> None:
    suffix = "" if (SCRIPTS / name).is_dir() else ".py"
    assert f"`{name}{suffix}`" in (SCRIPTS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["faults", "support"])
def test_shared_test_code_imports_no_tests(folder: str) -> None:
    kinds = {"unit", "integration", "infrastructure", "e2e", "browser"}
    for module in (REPOSITORY / "tests" / folder).rglob("*.py"):
        assert not {name.partition(".")[0] for name in imports_of(module)} & kinds, module.name
