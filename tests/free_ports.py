"""Ports of the loopback address that nothing listens on."""

import socket


def free_port() -> int:
    """Return a port that the system handed out a moment ago and that is free again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
