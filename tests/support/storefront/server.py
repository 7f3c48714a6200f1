"""The storefront's server in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from server import StorefrontRequestHandler, start
from support.repository.files import REPOSITORY

FRONTEND = REPOSITORY / "frontend"


class _QuietHandler(StorefrontRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing: requests between two tests would appear on the terminal."""


@contextmanager
def served(api_url: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the storefront under a host name of loopback; yield its URL."""
    server = start("0", api_url)
    server.RequestHandlerClass = _QuietHandler
    if host != "127.0.0.1":
        vars(server)["is_own_host"] = lambda header: True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
