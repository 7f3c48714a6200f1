"""The storefront's server as a module: its folder is not a package, and is on no import path."""

import functools
import importlib.util
import sys
from types import ModuleType

from support.repository.files import REPOSITORY

FRONTEND = REPOSITORY / "frontend"


@functools.cache
def load_server() -> ModuleType:
    """Return frontend/server.py as a module."""
    spec = importlib.util.spec_from_file_location("storefront_server_module", FRONTEND / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
