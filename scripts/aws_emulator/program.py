"""The emulator's program: ministack behind what ends TLS in front of it.

The queues and topics refuse what does not come by TLS, and with IAM enforced the emulator refuses it too. Traffic that
never leaves the machine needs no certificate. A proxy that ends TLS in front of a service tells it so in the header
X-Forwarded-Proto, which ministack honours; this module stands in for that proxy.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import ministack.app
from ministack.core import persistence

from aws_emulator.iam import mend_iam
from aws_emulator.partiql import mend_partiql
from aws_emulator.persistence import state_on_disk
from aws_emulator.queues import mend_queues
from aws_emulator.stages import mend_stages
from aws_emulator.stream_mappings import mend_stream_mappings
from aws_emulator.streams import mend_streams
from aws_emulator.workers import mend_workers

# As ASGI defines them: https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = MutableMapping[str, Any]
Channel = Callable[..., Awaitable[Any]]

_ministack_app = ministack.app.app


async def _app_behind_tls(scope: Scope, receive: Channel, send: Channel) -> None:
    if scope["type"] == "http":
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
    await _ministack_app(scope, receive, send)


def main() -> None:
    """Run ministack until it is stopped."""
    mend_iam()
    mend_partiql()
    mend_queues()
    mend_stages()
    mend_streams()
    mend_stream_mappings()
    mend_workers()
    ministack.app.app = _app_behind_tls
    with state_on_disk(Path(persistence.STATE_DIR)):
        ministack.app.main()
