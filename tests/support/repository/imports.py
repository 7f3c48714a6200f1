"""The imports of a Python module."""

import ast
from pathlib import Path


def imports_of(module: Path) -> set[str]:
    """Return the full names that a module imports, such as package.module.name."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} imports relatively; name the package"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names
