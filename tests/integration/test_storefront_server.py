"""The storefront's server as a process: its answers, its manners, and what no request can do to it."""

import contextlib
import gzip
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from storefront.server import FRONTEND, load_server
from waiting import wait_for

API_URL = "http://localhost:4566/_aws/execute-api/abc/$default"
DEADLINE_SECONDS = 30


def start_server(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    clean = {name: value for name, value in os.environ.items() if name not in ("PORT", "ORDERS_API_URL")}
    return subprocess.Popen(
        [sys.executable, str(FRONTEND / "server.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **(environment or {})},
    )


@contextlib.contextmanager
def running_server(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    process = start_server("--port", "0", *arguments, environment=environment)
    assert process.stdout is not None
    log = threading.Thread(target=drain, args=(process,))
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"The storefront is at http://([0-9.]+):([0-9]+)\n", line)
        assert found, line
        log.start()
        yield found[1], int(found[2])
        assert process.poll() is None, "the server has ended"
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
        if log.ident is not None:
            log.join(DEADLINE_SECONDS)
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()


def drain(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    with contextlib.suppress(ValueError):
        process.stderr.read()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with running_server("--api-url", API_URL) as address:
        yield address


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes


def ask(address: tuple[str, int], path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection(*address, timeout=DEADLINE_SECONDS)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def send_raw(address: tuple[str, int], request: bytes) -> bytes:
    """Send bytes as they are; return all that comes back until the server closes."""
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def expect_alive(address: tuple[str, int]) -> None:
    assert ask(address, "/health").body == b"ok\n"


# What it serves


@pytest.mark.parametrize(
    ("path", "file", "content_type", "cache_control"),
    [
        ("/", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/main.js?v=1", "main.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/style.css", "style.css", "text/css; charset=utf-8", "no-cache"),
        ("/images/banana.svg", "images/banana.svg", "image/svg+xml; charset=utf-8", "public, max-age=86400"),
    ],
)
def test_each_file_is_served_as_what_it_is(
    address: tuple[str, int], path: str, file: str, content_type: str, cache_control: str
) -> None:
    answer = ask(address, path)
    assert answer.status == 200
    assert answer.body == (FRONTEND / file).read_bytes()
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == cache_control


def test_every_module_style_and_picture_of_the_folder_is_served(address: tuple[str, int]) -> None:
    files = [*FRONTEND.glob("*.js"), *FRONTEND.glob("*.css"), *FRONTEND.glob("images/*.svg")]
    paths = [f"/{file.relative_to(FRONTEND)}" for file in files]
    assert {path: ask(address, path).status for path in paths} == dict.fromkeys(paths, 200)


def test_config_names_the_api_of_the_command_line(address: tuple[str, int]) -> None:
    answer = ask(address, "/config.js")
    assert answer.body == f'export default {{ apiUrl: "{API_URL}" }};\n'.encode()
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "connect-src http://localhost:4566;" in answer.headers["Content-Security-Policy"]


def test_the_environment_is_the_default_of_the_command_line() -> None:
    environment = {"ORDERS_API_URL": "https://api.example.com/"}
    with running_server(environment=environment) as address:
        assert b'"https://api.example.com"' in ask(address, "/config.js").body


def test_without_an_api_there_is_no_config_and_the_terminal_says_so() -> None:
    with running_server() as address:
        assert ask(address, "/config.js").status == 404
        assert ask(address, "/").status == 200
    process = start_server("--port", "0")
    assert process.stdout is not None
    try:
        process.stdout.readline()
        assert "No order API is set" in process.stdout.readline()
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_SECONDS)


def test_health_is_ok_and_never_cached(address: tuple[str, int]) -> None:
    answer = ask(address, "/health")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/main.js", "/config.js", "/images/apple.svg", "/health", "/nothing"])
def test_every_answer_carries_the_security_headers(address: tuple[str, int], path: str) -> None:
    answer = ask(address, path)
    expected = load_server().security_headers("http://localhost:4566")
    assert {name: answer.headers[name] for name in expected} == expected


def test_the_answer_does_not_tell_what_software_it_is(address: tuple[str, int]) -> None:
    assert ask(address, "/").headers["Server"] == "storefront"


def test_a_current_copy_is_not_sent_again(address: tuple[str, int]) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        first = ask(address, "/main.js", headers=headers)
        again = ask(address, "/main.js", headers={**headers, "If-None-Match": first.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Cache-Control"] == "no-cache"
        assert again.headers["Vary"] == "Accept-Encoding"
    assert ask(address, "/main.js", headers={"If-None-Match": '"other"'}).status == 200


def test_texts_are_sent_compressed_to_those_who_take_it(address: tuple[str, int]) -> None:
    plain = ask(address, "/main.js")
    packed = ask(address, "/main.js", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


def test_head_is_get_without_the_body(address: tuple[str, int]) -> None:
    for path in ("/", "/images/apple.svg", "/nothing"):
        get, head = ask(address, path), ask(address, path, method="HEAD")
        assert head.status == get.status
        assert head.body == b""
        assert head.headers["Content-Length"] == str(len(get.body))
        assert head.headers["ETag"] == get.headers["ETag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused_with_those_that_are_allowed(address: tuple[str, int], method: str) -> None:
    answer = ask(address, "/", method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.body == b"405 Method Not Allowed\n"


def test_several_requests_share_a_connection(address: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*address, timeout=DEADLINE_SECONDS)
    try:
        used = []
        for path in ("/", "/main.js", "/style.css"):
            connection.request("GET", path)
            connection.getresponse().read()
            used.append(connection.sock)
        assert used[0] is not None
        assert used[0] is used[1] is used[2]
    finally:
        connection.close()


def test_many_requests_are_answered_at_once(address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):  # which say nothing, and hold their connections
            stack.enter_context(socket.create_connection(address, timeout=DEADLINE_SECONDS))
        with ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(lambda _: ask(address, "/main.js").status, range(200)))
    assert statuses == [200] * 200


# What it does not serve


@pytest.mark.parametrize(
    "target",
    [
        "/..",
        "/../README.md",
        "/../../../../../../etc/passwd",
        "/images/../../pyproject.toml",
        "/images/..%2f..%2fpyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/%2e%2e%2fpyproject.toml",
        "/%252e%252e/pyproject.toml",
        "/..%5cpyproject.toml",
        "/..\\pyproject.toml",
        "/%c0%ae%c0%ae/pyproject.toml",
        "//etc/passwd",
        "//main.js/",
        "/./main.js",
        "/main.js/",
        "/main.js%00.html",
        "/main.js\x00",
        "/\x00",
        "/%",
        "/%zz",
        "/server.py",
        "/images",
        "/images/",
        "/.git/config",
        "/__pycache__/",
        "/favicon.ico",
        "http://127.0.0.1/main.js",
        "main.js",
        "*",
        "/ main.js",
        "/main.js;x",
        "/MAIN.JS",
        "/ＭＡＩＮ.js",
    ],
)
def test_no_other_path_leads_anywhere(address: tuple[str, int], target: str) -> None:
    received = send_raw(address, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = received.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.1 4[0-9]{2} ", head), received[:100]
    assert re.fullmatch(rb"4[0-9]{2} [A-Z][A-Za-z ]+\n", body)
    expect_alive(address)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 1000 + b"\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n",
        b"\xff\xfe\xfd / HTTP/1.1\r\n\r\n",
    ],
    ids=lambda request: repr(request[:24]),
)
def test_a_malformed_request_is_refused_or_closed(address: tuple[str, int], request_bytes: bytes) -> None:
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection:
        received = b""
        # A server that has closed already, unread bytes and all, shows as a reset or as no connection to shut down.
        with contextlib.suppress(OSError):
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            received = connection.recv(65536)
    assert received == b"" or re.match(rb"HTTP/1\.1 (4[0-9]{2}|501|505) ", received), received[:100]
    expect_alive(address)


def test_the_body_of_a_request_is_never_taken_for_the_next_request(address: tuple[str, int]) -> None:
    hidden = b"GET /main.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    assert send_raw(address, request + hidden).count(b"HTTP/1.1 ") == 1


def test_a_long_address_is_told_so_before_the_connection_closes(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        for _ in range(3):  # what is still under way must not meet a closed door: a reset would raise
            connection.sendall(b"a" * 1000)
    assert received.startswith(b"HTTP/1.1 414 ")


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "frontend"
    folder.mkdir()
    (folder / "server.py").write_bytes((FRONTEND / "server.py").read_bytes())
    (folder / "leak.js").symlink_to(tmp_path / "secret.txt")
    process = subprocess.Popen(
        [sys.executable, str(folder / "server.py"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        assert ask(("127.0.0.1", port), "/leak.js").status == 404
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_SECONDS)


@contextlib.contextmanager
def server_with_deadline(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    module = load_server()
    monkeypatch.setattr(module, "REQUEST_DEADLINE_SECONDS", seconds)
    server = module.start("127.0.0.1", "0", None)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[:2]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_slow_client_is_let_go_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        server_with_deadline(0.5, monkeypatch) as address,
        socket.create_connection(address, timeout=DEADLINE_SECONDS) as slow,
    ):
        slow.sendall(b"GET / HT")
        expect_alive(address)

        def let_go() -> bool:
            # A byte now and then, each within any timeout for a single one.
            with contextlib.suppress(ConnectionError):
                slow.sendall(b"T")
            slow.settimeout(0.1)
            try:
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_for("the slow client to be let go", let_go, 5)
        expect_alive(address)


def test_a_client_that_goes_on_asking_may_stay_longer_than_one_request_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadline = 0.3
    with server_with_deadline(deadline, monkeypatch) as address:
        connection = http.client.HTTPConnection(*address, timeout=DEADLINE_SECONDS)
        with contextlib.closing(connection):
            connection.connect()
            first = connection.sock
            started = time.monotonic()
            while time.monotonic() < started + 3 * deadline:
                connection.request("GET", "/health")
                assert connection.getresponse().read() == b"ok\n"
            assert connection.sock is first


# How it starts and ends


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_server("--port", str(port))
        _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert errors == (
        f"storefront: Port {port} of 127.0.0.1 is taken; choose another with --port or the variable PORT.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--api-url", "api.example.com"], "must begin with http:// or https://"),
        (["--api-url", "https://api.example.com/?stage=dev"], "must not have a query"),
        (["--port", "eighty"], "The port must be a number from 0 to 65535"),
        (["--port", "65536"], "The port must be a number from 0 to 65535"),
        (["--port", "٨٠٨٠"], "The port must be a number from 0 to 65535"),
        (["--port", "0", "--host", "192.0.2.1"], "Cannot listen on"),
    ],
)
def test_a_wrong_argument_is_one_clear_sentence(arguments: list[str], said: str) -> None:
    process = start_server(*arguments)
    output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert output == ""
    assert errors.startswith("storefront: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    with running_server() as (host, _):
        assert host == "127.0.0.1"


def test_ctrl_c_ends_it_quietly() -> None:
    process = start_server("--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert errors == ""


def test_a_client_that_goes_away_leaves_no_traceback() -> None:
    process = start_server("--port", "0", "--api-url", API_URL)
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection:
            connection.sendall(b"GET /view.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    expect_alive(("127.0.0.1", port))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert "Traceback" not in errors


def test_what_a_client_sends_cannot_forge_the_log() -> None:
    process = start_server("--port", "0", "--api-url", API_URL)
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    send_raw(("127.0.0.1", port), b"GET /\x1b[2J\x9b31m\x0bfake" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    lines = errors.splitlines()
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert lines[0].isascii()
    assert len(lines[0]) < 1000
