"""The storefront's server as a module: its folder is not a package, and is on no import path."""

import functools
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from support.repository.files import REPOSITORY

FRONTEND = REPOSITORY / "frontend"


@functools.cache
def load_server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("storefront_server_module", FRONTEND / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(api_url: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the storefront under a host name of loopback; yield its URL."""
    server = load_server().start("0", api_url)
    if host != "127.0.0.1":
        server.is_own_host = lambda header: True
    # Requests between two tests would be logged to the terminal.
    server.RequestHandlerClass = type("Quiet", (server.RequestHandlerClass,), {"log_message": lambda *_: None})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
