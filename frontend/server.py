#!/usr/bin/env python3
"""Serve the storefront on this machine: the development server, standard library only.

    python frontend/server.py --port 8080 --api-url https://abc.execute-api.eu-central-1.amazonaws.com

It serves the storefront's own files and nothing else of the checkout, with the headers that the web server in
production sends too: `security_headers` and `CACHE_CONTROL` are the one statement of them.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import gzip
import hashlib
import io
import json
import os
import re
import socket
import socketserver
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

STOREFRONT: Final = Path(__file__).resolve().parent

# A request must have arrived whole within this time, so that a client that sends a byte now and then cannot
# hold a thread; the answer must have been taken within it as well.
REQUEST_DEADLINE_SECONDS: Final = 10.0

# How long an already refused request is read on, so that closing does not reset the connection before the
# client has read why.
LINGER_SECONDS: Final = 1.0

# What a file's ending says about its type. A file with another ending is not served, server.py among them.
CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}

# What a public file is called: nothing that an editor leaves beside it.
PUBLIC_NAME: Final = re.compile(r"[a-z0-9-]+\.[a-z]+")

# The code's file names carry no version, so a browser asks each time whether its copy is current (304 if so):
# a page must never run with yesterday's script. Pictures may be a day old.
CACHE_CONTROL: Final = {
    ".html": "no-cache",
    ".css": "no-cache",
    ".js": "no-cache",
    ".svg": "public, max-age=86400",
}


def security_headers(api_origin: str | None) -> dict[str, str]:
    """Return the headers of every answer; the page may talk to `api_origin` and to nobody else."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": api_origin or "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    # No Cross-Origin-Opener-Policy: browsers ignore it where the page is served without TLS, with an error in the
    # console, and the page opens no window and holds no secret that another one could reach for.
    return {
        "Content-Security-Policy": "; ".join(f"{directive} {value}" for directive, value in policy.items()),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


class InvalidApiUrlError(ValueError):
    """The given address cannot be the order API's; the message says why in one sentence."""


@dataclass(frozen=True)
class ApiUrl:
    """The order API's address: `text`, without trailing slash, is for the page, `origin` for the policy."""

    text: str
    origin: str

    @classmethod
    def parse(cls, text: str) -> ApiUrl:
        """Read an http(s) address that may have a path; raise InvalidApiUrlError for any other."""
        shown = ascii(text[:200])
        if not re.fullmatch(r"[!-~]+", text) or re.search(r"[\"'\\<>`{}|^;,]", text):
            raise InvalidApiUrlError(f"The API address {shown} has a character that no address may have.")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise InvalidApiUrlError(f"The API address {shown} cannot be read: {error}.") from error
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidApiUrlError(f"The API address {shown} must begin with http:// or https://.")
        if "@" in parts.netloc:
            raise InvalidApiUrlError("The API address must not hold a user name or password.")
        # A Content-Security-Policy cannot name an IPv6 address, so the page could never reach one.
        host = parts.hostname or ""
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", host):
            raise InvalidApiUrlError(f"The API address {shown} must name a host by its name or IPv4 address.")
        if parts.query or parts.fragment or text.endswith(("?", "#")):
            raise InvalidApiUrlError(f"The API address {shown} must not have a query or a fragment.")
        origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
        return cls(text=origin + parts.path.rstrip("/"), origin=origin)

    def config_module(self) -> bytes:
        """Return the text of `config.js`, the one setting of a deployed storefront."""
        return f"export default {{ apiUrl: {json.dumps(self.text)} }};\n".encode("ascii")


@dataclass(frozen=True)
class Resource:
    """One thing that can be asked for: its bytes and how a browser is to treat them."""

    body: bytes
    content_type: str
    cache_control: str


@functools.lru_cache(maxsize=64)
def compressed(body: bytes) -> bytes:
    """Return `body` gzipped, the same bytes each time."""
    return gzip.compress(body, mtime=0)


@functools.lru_cache(maxsize=64)
def digest(body: bytes) -> str:
    """Return what identifies `body` in an ETag."""
    return hashlib.sha256(body).hexdigest()[:32]


class Storefront:
    """The files a browser may have, looked up by exact path: no path is ever decoded, joined or walked."""

    def __init__(self, folder: Path, api_url: ApiUrl | None) -> None:
        self._folder = folder
        self._api_url = api_url
        self.headers: Final = security_headers(api_url.origin if api_url else None)

    def find(self, path: str) -> Resource | None:
        """Return what `path`, an address without query, stands for; None for all that is not public."""
        if path == "/health":
            return Resource(b"ok\n", "text/plain; charset=utf-8", "no-store")
        if path == "/config.js":
            if self._api_url is None:
                return None
            return Resource(self._api_url.config_module(), CONTENT_TYPES[".js"], CACHE_CONTROL[".js"])
        # Looked up at each request, so that an edited or added file shows without a restart.
        file = self._public_files().get(path)
        body = read_regular_file(file) if file else None
        if file is None or body is None:
            return None
        return Resource(body, CONTENT_TYPES[file.suffix], CACHE_CONTROL[file.suffix])

    def _public_files(self) -> dict[str, Path]:
        files = {"/": self._folder / "index.html"}
        for prefix, folder, endings in (
            ("/", self._folder, (".html", ".css", ".js")),
            ("/images/", self._folder / "images", (".svg",)),
        ):
            if folder.is_dir() and not (folder != self._folder and folder.is_symlink()):
                files |= {
                    prefix + file.name: file
                    for file in folder.iterdir()
                    if file.suffix in endings and PUBLIC_NAME.fullmatch(file.name)
                }
        return files


def read_regular_file(file: Path) -> bytes | None:
    """Return what `file` holds; None where it is missing, unreadable or no regular file (a link, a pipe)."""
    try:
        # O_NONBLOCK: opening a pipe would wait for its other end.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


class DeadlineReader(io.RawIOBase):
    """What a client sends, until the deadline of its present request: a slow one meets TimeoutError."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.restart()

    def restart(self) -> None:
        """Give the next request its full time."""
        self._deadline = time.monotonic() + REQUEST_DEADLINE_SECONDS

    def readable(self) -> bool:
        """Say yes: this is a reader."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what has arrived, waiting for at least a byte; 0 at the end."""
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError
        self._connection.settimeout(seconds_left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(REQUEST_DEADLINE_SECONDS)


class StorefrontRequestHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from the storefront, refuses all else."""

    server: StorefrontServer
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_DEADLINE_SECONDS

    def setup(self) -> None:
        """Read the connection under a deadline instead of a timeout for each piece."""
        super().setup()
        self._reader = DeadlineReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)
        self._refused = False

    def handle_one_request(self) -> None:
        """Start the clock of one request, then handle it."""
        self._reader.restart()
        super().handle_one_request()

    def finish(self) -> None:
        """Close; after a refusal only when the client has had a chance to read it."""
        if self._refused:
            self._linger()
        super().finish()

    def _linger(self) -> None:
        deadline = time.monotonic() + LINGER_SECONDS
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            while (seconds_left := deadline - time.monotonic()) > 0:
                self.connection.settimeout(seconds_left)
                if not self.connection.recv(65536):
                    return
        except OSError:
            return

    def do_GET(self) -> None:
        """Answer with a file, or with 304 where the browser's copy is current."""
        if self.request_version == "HTTP/0.9":
            self.send_error(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
            return
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            # Nothing here takes a body; unread, it would be taken for the next request.
            self.close_connection = True
        resource = self.server.storefront.find(self.path.partition("?")[0])
        if resource is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body, etag, encoding = resource.body, digest(resource.body), None
        if len(body) > 1024 and accepts_gzip(self.headers.get("Accept-Encoding", "")):
            body, etag, encoding = compressed(body), f"{etag}-gzip", "gzip"
        unchanged = is_current(self.headers.get("If-None-Match", ""), etag)
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
        self.send_header("Cache-Control", resource.cache_control)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Vary", "Accept-Encoding")
        if not unchanged:
            self.send_header("Content-Type", resource.content_type)
            self.send_header("Content-Length", str(len(body)))
            if encoding:
                self.send_header("Content-Encoding", encoding)
        self.end_headers()
        if not unchanged and self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the names are the base class's

    def do_POST(self) -> None:
        """Refuse what is neither GET nor HEAD."""
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_CONNECT = do_DELETE = do_OPTIONS = do_PATCH = do_PUT = do_TRACE = do_POST  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in one plain line, without repeating anything of the request, and close the connection."""
        status = HTTPStatus(code)
        if self.request_version == "HTTP/0.9":
            # What could not be read counts as that version, whose answers have no status and no headers.
            self.request_version = self.protocol_version
        body = f"{status.value} {status.phrase}\n".encode("ascii")
        self._refused = self.close_connection = True
        self.log_error("%d %s", status.value, status.phrase)
        self.send_response(status)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if getattr(self, "command", None) != "HEAD":
            self.wfile.write(body)

    def end_headers(self) -> None:
        """Add the security headers, to errors too."""
        for name, value in self.server.storefront.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Name the server without its versions."""
        return "storefront"

    def log_message(self, format: str, *args: object) -> None:
        """Write one line to standard error, its length bounded and control characters escaped."""
        line = (format % args)[:200].encode("unicode_escape").decode("ascii")
        sys.stderr.write(f"{self.log_date_time_string()} {line}\n")

    def log_error(self, format: str, *args: object) -> None:
        """Stay silent: the request's own line carries its status."""


def accepts_gzip(accept_encoding: str) -> bool:
    """Say whether a client that sent this header takes gzip."""
    for offer in accept_encoding.lower().split(","):
        coding, _, parameters = offer.partition(";")
        if coding.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", parameters)
    return False


def is_current(if_none_match: str, etag: str) -> bool:
    """Say whether the header names `etag`, compared weakly as RFC 9110 asks."""
    named = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in named or f'"{etag}"' in named


class StorefrontServer(ThreadingHTTPServer):
    """One thread a connection, none of which keeps the process from ending."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], storefront: Storefront) -> None:
        self.storefront = storefront
        super().__init__(address, StorefrontRequestHandler)

    @property
    def url(self) -> str:
        """The address to type into a browser."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def server_bind(self) -> None:
        """Bind without the inherited look-up of this machine's full name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; report anything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, with the environment's PORT and ORDERS_API_URL as defaults."""
    parser = argparse.ArgumentParser(description="Serve the storefront on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port",
        default=os.environ.get("PORT") or "8080",
        help="port to listen on, 0 for any free one (default: $PORT, else 8080)",
    )
    parser.add_argument(
        "--api-url",
        default=os.environ.get("ORDERS_API_URL") or None,
        help="address of the order API, without a query (default: $ORDERS_API_URL)",
    )
    return parser.parse_args(arguments)


def fail(reason: str) -> NoReturn:
    """End with one sentence on standard error."""
    sys.exit(f"storefront: {reason}")


def start(host: str, port_text: str, api_url_text: str | None) -> StorefrontServer:
    """Return a listening server; end the program with one sentence where it cannot be."""
    try:
        api_url = ApiUrl.parse(api_url_text) if api_url_text else None
    except InvalidApiUrlError as error:
        fail(str(error))
    if not re.fullmatch(r"[0-9]{1,5}", port_text) or int(port_text) > 65535:
        fail(f"The port must be a number from 0 to 65535, not {port_text[:40]!a}.")
    port = int(port_text)
    try:
        return StorefrontServer((host, port), Storefront(STOREFRONT, api_url))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"Port {port} of {host} is taken; choose another with --port or the variable PORT.")
        if error.errno in (errno.EACCES, errno.EPERM):
            fail(f"Port {port} of {host} may not be used by this user; choose one above 1023 with --port.")
        fail(f"Cannot listen on {host!a} port {port}: {error.strerror or error}.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    options = parse_arguments(arguments)
    # Ctrl-C is how one leaves, at whatever moment.
    with contextlib.suppress(KeyboardInterrupt), start(options.host, options.port, options.api_url) as server:
        print(f"The storefront is at {server.url}")
        if options.api_url is None:
            print("No order API is set, and the page will say so: set it with --api-url or ORDERS_API_URL.")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
