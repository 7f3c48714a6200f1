#!/usr/bin/env python3
"""Serve the storefront on this machine for development. Standard library only.

    python frontend/server.py --port 8080 --api-url https://abc.execute-api.eu-central-1.amazonaws.com

Files are read on each request, so a saved change shows on reload. The web servers in production send the same headers
and bodies, but also compress them and confirm unchanged files; a test compares the two.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import ipaddress
import os
import re
import socketserver
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NoReturn

STOREFRONT: Final = Path(__file__).resolve().parent
LOOPBACK: Final = "127.0.0.1"

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
TEXT: Final = "text/plain; charset=utf-8"
REVALIDATE: Final = "no-cache"
A_DAY: Final = "public, max-age=86400"
FOREVER: Final = "public, max-age=31536000, immutable"

CODE_NAME: Final = re.compile(r"[a-z0-9-]+\.(?:css|js)")
PICTURE_PATH: Final = re.compile(r"/images/[a-z0-9-]+\.svg")
CODE_REFERENCE: Final = re.compile(rb'(href|src)="([a-z0-9-]+\.(?:css|js))"')

# A Content-Security-Policy cannot name an IPv6 address.
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
API_URL: Final = re.compile(rf"((?i:https?)://{_LABEL}(?:\.{_LABEL})*(?::([0-9]{{1,5}}))?)((?:/[A-Za-z0-9._~$%-]*)*)")


def security_headers(api_origin: str | None) -> dict[str, str]:
    """Return the headers of every response. The page may connect to `api_origin` only."""
    connect = api_origin or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    # No Cross-Origin-Opener-Policy: without TLS, browsers ignore it and report an error in the console.
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def split_api_url(text: str) -> tuple[str, str]:
    """Return the origin and the path of an API URL, without trailing slash; raise ValueError if it is not valid."""
    found = API_URL.fullmatch(text)
    if found is None or int(found[2] or 0) > 65535:
        raise ValueError(text)
    return found[1].lower(), found[3].rstrip("/")


@dataclass(frozen=True)
class Resource:
    body: bytes
    content_type: str
    cache_control: str


class Storefront:
    """The public files. A request path is compared with them and is never decoded or joined to a folder."""

    def __init__(self, folder: Path, api_url: str | None) -> None:
        self._folder = folder
        origin, path = split_api_url(api_url) if api_url else (None, "")
        self._config = f'export default {{ apiUrl: "{origin}{path}" }};\n'.encode() if origin else None
        self.headers: Final = security_headers(origin)

    def find(self, path: str) -> Resource | None:
        """Return the resource at `path` (without query), or None if no public file has this path."""
        if path == "/health":
            return Resource(b"ok\n", TEXT, "no-store")
        if PICTURE_PATH.fullmatch(path):
            body = read_public_file(self._folder / path[1:])
            return None if body is None else Resource(body, CONTENT_TYPES[".svg"], A_DAY)
        code = self._code()
        # The path of the code names its release, so that a page never runs modules of two releases.
        release = hashlib.sha256(b"".join(code.values())).hexdigest()[:16]
        if path in ("/", "/index.html"):
            page = read_public_file(self._folder / "index.html")
            if page is None:
                return None
            page = CODE_REFERENCE.sub(rb'\1="%s/\2"' % release.encode("ascii"), page)
            return Resource(page, CONTENT_TYPES[".html"], REVALIDATE)
        parent, slash, name = path.rpartition("/")
        if not slash or parent not in ("", f"/{release}") or name not in code:
            return None
        return Resource(code[name], CONTENT_TYPES[Path(name).suffix], FOREVER if parent else REVALIDATE)

    def _code(self) -> dict[str, bytes]:
        """Return style sheets, then modules, by name; `config.js` is generated from the API URL."""
        code = {file.name: read_public_file(file) for file in self._folder.iterdir() if CODE_NAME.fullmatch(file.name)}
        code["config.js"] = self._config
        names = sorted(code, key=lambda name: (Path(name).suffix, name))
        return {name: body for name in names if (body := code[name]) is not None}


def read_public_file(file: Path) -> bytes | None:
    """Return the content of a regular file; None if it is missing or a symbolic link."""
    return file.read_bytes() if file.is_file() and file.resolve() == file else None


class StorefrontRequestHandler(BaseHTTPRequestHandler):
    server: StorefrontServer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Send a resource."""
        hosts = self.headers.get_all("Host", [])
        # An HTTP/0.9 response would have no security headers.
        if self.request_version == "HTTP/0.9" or len(hosts) > 1 or (self.request_version != "HTTP/1.0" and not hosts):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        # Another name can point here by DNS rebinding: then a foreign page would be same-origin with this one.
        if not all(self.server.is_own_host(host) for host in hosts):
            return self.send_error(HTTPStatus.FORBIDDEN)
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            # An unread body would be parsed as the next request.
            self.close_connection = True
        resource = self.server.storefront.find(self.path.partition("?")[0])
        if resource is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.respond(HTTPStatus.OK, resource.body, resource.content_type, {"Cache-Control": resource.cache_control})
        return None

    do_HEAD = do_GET  # noqa: N815 - the base class looks up these names

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send one line of text that repeats nothing of the request, and close the connection."""
        # The base class sends 501 for a method without a `do_` function.
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        # The base class treats an unparsed request as HTTP/0.9 and would send no status line.
        self.request_version = self.protocol_version
        body = f"{status.value} {status.phrase}\n".encode("ascii")
        allow = {"Allow": "GET, HEAD"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        self.respond(status, body, TEXT, {"Cache-Control": "no-store", "Connection": "close", **allow})

    def respond(self, status: HTTPStatus, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        content = {"Content-Type": content_type, "Content-Length": str(len(body))}
        for name, value in {**headers, **content, **self.server.storefront.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "storefront"


class StorefrontServer(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, port: int, storefront: Storefront) -> None:
        self.storefront = storefront
        super().__init__((LOOPBACK, port), StorefrontRequestHandler)

    def server_bind(self) -> None:
        """Bind without the base class's reverse DNS lookup, which can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def is_own_host(self, header: str) -> bool:
        """Return whether a Host header names this machine."""
        host = re.sub(r":[0-9]*$", "", header.strip().lower()).strip("[]")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnected; report everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def start(port_text: str, api_url: str | None) -> StorefrontServer:
    """Return a listening server, or exit with the reason."""
    try:
        storefront = Storefront(STOREFRONT, api_url)
    except ValueError:
        fail("The API URL is not valid. Use http(s)://host[:port][/path] without query, user name or password.")
    if not re.fullmatch(r"[0-9]{1,5}", port_text) or int(port_text) > 65535:
        fail("The port is not valid. Use a number from 0 to 65535.")
    try:
        return StorefrontServer(int(port_text), storefront)
    except OSError as error:
        fail(f"Cannot listen on {LOOPBACK} port {port_text}: {error.strerror}. Choose another --port.")


def fail(reason: str) -> NoReturn:
    sys.exit(f"storefront: {reason}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve the storefront on this machine.")
    parser.add_argument(
        "--port", default=os.environ.get("PORT") or "8080", help="port; 0 for any (default: $PORT or 8080)"
    )
    parser.add_argument(
        "--api-url", default=os.environ.get("ORDERS_API_URL"), help="order API (default: $ORDERS_API_URL)"
    )
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt), start(options.port, options.api_url) as server:
        print(f"The storefront is at http://{LOOPBACK}:{server.server_address[1]}")
        if not options.api_url:
            print("No order API is set, so the page cannot take orders. Set it with --api-url or ORDERS_API_URL.")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
