"""The emulator's program: ministack with this project's patches, behind a guard.

The queues and topics reject requests without TLS, and the emulator enforces that. Traffic on loopback has no TLS, so
each request gets the header X-Forwarded-Proto, as from a proxy that terminates TLS.
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

import h11
import hypercorn.asyncio
import ministack.app
from ministack.core import persistence

from aws_emulator import root_user
from aws_emulator.guard import Guard
from aws_emulator.persistence import state_on_disk

# All are imported before the first is applied: on import, each saves the original functions of ministack.
_PATCHES = "alarms auto_scaling function_logs iam metric_filters queues resources stream_mappings tables workers"
PATCHES = [import_module(f"aws_emulator.{name}") for name in _PATCHES.split()]

# ministack closes a connection that was idle for 75 s. On a busy machine, a request that arrives at this moment may be
# executed without a response, and its SDK retries it. The Terraform provider closes idle connections itself after 90 s:
# https://github.com/aws/aws-sdk-go-v2/blob/main/aws/transport/http/client.go
# hypercorn also keeps connections that clients have closed for this long.
IDLE_SECONDS = 100

# As ASGI defines them: https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = MutableMapping[str, Any]
Channel = Callable[..., Awaitable[Any]]
App = Callable[[Scope, Channel, Channel], Awaitable[None]]


def guarded(app: App, guard: Guard) -> App:
    """Return `app` behind `guard`, as if behind a proxy that terminates TLS."""

    async def admit(scope: Scope, receive: Channel, send: Channel) -> None:
        if scope["type"] == "websocket":
            # The project has no WebSocket API. A close before the accept returns 403.
            await send({"type": "websocket.close"})
            return
        if scope["type"] == "http":
            headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
            if reason := guard.rejection(scope["path"], scope["query_string"].decode("latin-1"), headers):
                fields = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 403, "headers": fields})
                await send({"type": "http.response.body", "body": json.dumps({"message": reason}).encode()})
                return
            scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        await app(scope, receive, send)

    return admit


def keep_connections() -> None:
    """Let clients close idle connections before the server does."""
    serve = hypercorn.asyncio.serve

    def serve_and_keep(app: Any, config: Any) -> Any:
        config.keep_alive_timeout = IDLE_SECONDS
        return serve(app, config)

    hypercorn.asyncio.serve = serve_and_keep  # type: ignore[assignment]


def send_responses_at_once() -> None:
    """Send the head of a response together with its body.

    hypercorn writes them separately. On a busy machine the Terraform provider sometimes closed the connection between
    the two, and its SDK repeated a request that had been executed.
    """
    send = h11.Connection.send

    def send_later(connection: Any, event: Any) -> bytes | None:
        data = send(connection, event)
        if isinstance(event, h11.Response):
            connection.unsent_head = data
            return b""
        return vars(connection).pop("unsent_head", b"") + data if data is not None else None

    h11.Connection.send = send_later  # type: ignore[method-assign, assignment]


def main() -> None:
    """Run ministack until it is stopped."""
    # The functions inherit the environment, so remove these variables.
    access_key_id, secret_access_key = os.environ.pop("ROOT_ACCESS_KEY_ID"), os.environ.pop("ROOT_SECRET_ACCESS_KEY")
    origins = frozenset(os.environ.pop("STOREFRONT_ORIGINS").split())
    send_responses_at_once()
    root_user.patch(access_key_id, secret_access_key)
    for module in PATCHES:
        module.patch()
    keep_connections()
    ministack.app.app = guarded(ministack.app.app, Guard(access_key_id, origins))
    with state_on_disk(Path(persistence.STATE_DIR)):
        ministack.app.main()
