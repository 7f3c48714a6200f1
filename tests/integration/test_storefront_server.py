"""frontend/server.py, the development server of the storefront."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

import server
from support.storefront.server import FRONTEND, served

API_URL = "http://localhost:4566/_aws/execute-api/abc/$default"
DEADLINE_SECONDS = 30


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served(API_URL) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the storefront with private files beside the public ones."""
    folder = tmp_path / "frontend"
    shutil.copytree(FRONTEND, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "secret.js").write_text("secret")
    (folder / "config.js").write_text("secret")
    for name in (".hidden.js", "main.js~", "#main.js#", "notes.txt", "main.js.map", "images/photo.png", "images/x.js"):
        (folder / name).write_text("secret")
    (folder / "linked.js").symlink_to(tmp_path / "secret.js")
    (folder / "images" / "linked.svg").symlink_to(folder / "main.js")
    (folder / "folder.js").mkdir()
    os.mkfifo(folder / "pipe.js")
    return folder


def fetch(address: tuple[str, int], path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Any:
    connection = http.client.HTTPConnection(*address, timeout=DEADLINE_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response, response.read()


def release_of(page: bytes) -> str:
    """Return the release in the paths of the page's code."""
    [release] = set(re.findall(rb'(?:href|src)="([^"]*?)/?[a-z-]+\.(?:css|js)"', page))
    return str(release, "ascii")


def send_raw(address: tuple[str, int], request: bytes) -> bytes:
    """Send bytes as they are; return everything received until the server closes the connection."""
    received = b""
    # The server may close before it has read everything.
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection, contextlib.suppress(OSError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    ("path", "content_type", "cache_control"),
    [
        ("/", "text/html", "no-cache"),
        ("/main.js?v=1", "text/javascript", "no-cache"),
        ("/style.css", "text/css", "no-cache"),
        ("/{release}/view.js", "text/javascript", "public, max-age=31536000, immutable"),
        ("/images/banana.svg", "image/svg+xml", "public, max-age=86400"),
        ("/health", "text/plain", "no-store"),
        ("/nothing", "text/plain", "no-store"),
    ],
)
def test_response_has_type_caching_and_security_headers(
    address: tuple[str, int], path: str, content_type: str, cache_control: str
) -> None:
    release = release_of(fetch(address, "/")[1])
    path = path.replace("{release}", release)
    response, body = fetch(address, path)
    assert response.status == (404 if path == "/nothing" else 200)
    assert response.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert response.headers["Cache-Control"] == cache_control
    assert response.headers["Server"] == "storefront"
    assert "Access-Control-Allow-Origin" not in response.headers
    if (file := FRONTEND / path.removeprefix(f"/{release}").partition("?")[0][1:]).is_file():
        assert body == file.read_bytes()
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy["connect-src"] == "http://localhost:4566"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
    for name, value in server.security_headers("http://localhost:4566").items():
        assert response.headers[name] == value
    head, nothing = fetch(address, path, "HEAD")
    assert (head.status, head.headers["Content-Length"], nothing) == (response.status, str(len(body)), b"")


def test_changed_file_makes_a_new_release(folder: Path) -> None:
    storefront: Any = server.Storefront(folder, API_URL)
    release = release_of(storefront.find("/").body)
    (folder / "view.js").write_text("// changed\n")
    changed = release_of(storefront.find("/").body)
    assert changed != release
    assert storefront.find(f"/{changed}/view.js").body == storefront.find("/view.js").body == b"// changed\n"
    assert storefront.find(f"/{release}/view.js") is None
    without_api: Any = server.Storefront(folder, None)
    assert release_of(without_api.find("/").body) != changed


NOT_PUBLIC = r"""index.html main.js // //main.js /images /images/ /server.py /.hidden.js /main.js~ /#main.js# /notes.txt
/main.js.map /images/photo.png /images/x.js /INDEX.HTML /config.js /../secret.js /images/../main.js /./main.js
/%6dain.js /main%2ejs /..%2fsecret.js \main.js /main.js/ /main.js%00 /linked.js /images/linked.svg /folder.js
/pipe.js /0123456789abcdef/main.js http://127.0.0.1/main.js * /favicon.ico /main.js;x"""


@pytest.mark.parametrize("path", ["", "/main.js\x00", *NOT_PUBLIC.split()])
def test_unlisted_path_is_not_served(folder: Path, path: str) -> None:
    assert server.Storefront(folder, None).find(path) is None


OWN_HOSTS = "localhost LOCALHOST:8080 shop.localhost:8080 127.0.0.1:8080 [::1]:8080"
OTHER_HOSTS = "evil.example evil.example:80 localhost.evil.example 127.0.0.1.evil.example 192.0.2.1:8080"
GET, HOST = b"GET / HTTP/1.1\r\n", b"Host: localhost\r\n"
RAW_REQUESTS = [
    *((GET + f"Host: {host}\r\n\r\n".encode(), 200) for host in OWN_HOSTS.split()),
    *((GET + f"Host: {host}\r\n\r\n".encode(), 403) for host in ["", *OTHER_HOSTS.split()]),
    *((f"{method} / HTTP/1.1\r\n\r\n".encode(), 405) for method in ("POST", "OPTIONS", "CONNECT", "BREW", "get")),
    (GET + b"\r\n", 400),
    (GET + HOST + b"Host: evil.example\r\n\r\n", 400),
    # The body would be a second request.
    (GET + HOST + b"Content-Length: 35\r\n\r\n" + GET + HOST + b"\r\n", 200),
    (GET + HOST + b"X-Many: 1\r\n" * 200 + b"\r\n", 431),
    (b"GET /".ljust(65537, b"a"), 414),
    (b"GET / HTTP/9.9\r\n\r\n", 505),
    (b"GET /\r\n", 400),
    (b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"GET /\x1b[2J HTTP/1.1\r\n" + HOST + b"\r\n", 404),
]


@pytest.mark.parametrize(("request_bytes", "status"), RAW_REQUESTS, ids=lambda value: repr(value)[:60])
def test_raw_request_gets_one_response(address: tuple[str, int], request_bytes: bytes, status: int) -> None:
    received = send_raw(address, request_bytes)
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert received.count(b"HTTP/1.1 ") == 1
    if status != 200:
        assert received.endswith(f"\r\n\r\n{status} {HTTPStatus(status).phrase}\n".encode())
    assert (b"\r\nAllow: GET, HEAD\r\n" in received) == (status == 405)


# As a program


def test_program_reads_the_environment_and_ends_with_ctrl_c() -> None:
    environment = {**os.environ, "PORT": "0", "ORDERS_API_URL": "https://API.example.com:443/v1/"}
    command, pipe = [sys.executable, str(FRONTEND / "server.py")], subprocess.PIPE
    with (
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.kill)  # Popen waits for its end, also after a failed assertion
        assert process.stdout is not None
        found = re.fullmatch(r"The storefront is at http://127\.0\.0\.1:([0-9]+)\n", process.stdout.readline())
        assert found
        address = "127.0.0.1", int(found[1])
        assert fetch(address, "/config.js")[1] == b'export default { apiUrl: "https://api.example.com:443/v1" };\n'
        with socket.create_connection(address) as connection:  # disconnects with data unread
            connection.sendall(b"GET /view.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        assert fetch(address, "/health")[0].status == 200
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, output) == (0, "")
    assert "Traceback" not in errors


def test_program_reports_a_missing_api_url(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ORDERS_API_URL", raising=False)
    monkeypatch.setattr(server.StorefrontServer, "serve_forever", lambda _: None)
    server.main(["--port", "0"])
    assert "No order API is set" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--api-url", "api.example.com"], "The API URL is not valid"),
        (["--port", "eighty"], "The port is not valid"),
        (["--port", "65536"], "The port is not valid"),
        (["--port", "٨٠٨٠"], "The port is not valid"),
        (["--port", "{taken}"], "Cannot listen on 127.0.0.1 port {taken}: Address already in use."),
    ],
)
def test_invalid_argument_is_reported(arguments: list[str], reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as exit_:
        port = str(taken.getsockname()[1])
        server.main([argument.replace("{taken}", port) for argument in arguments])
    assert str(exit_.value.code).startswith(f"storefront: {reason.replace('{taken}', port)}")
    assert "\n" not in str(exit_.value.code)


INVALID_URLS = r"""/orders ftp://api.example.com javascript:alert(1) https:// https:///orders https://[::1]:4566 https://a:b
https://user:secret@api.example.com https://api.example.com?a https://api.example.com/#b https://api.example.com:99999
https://api..example.com https://api_example.com https://*.example.com https://api.example.com;script-src
https://a.example,https://b.example https://a.example/" https://a.example/' https://a.example/\ https://bücher.example"""
SPACED_URLS = (
    "https://a.example; script-src *",
    "https://a.example/\r\nX-Evil:yes",
    "https://a.example/\n",
    " https://a",
)


@pytest.mark.parametrize("text", [*INVALID_URLS.split(), *SPACED_URLS])
def test_invalid_api_url_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        server.split_api_url(text)
