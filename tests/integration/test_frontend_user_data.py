"""The script that makes a web server, really run in a fresh Debian 13: what it serves, and how it fails.

And the answers of Apache beside those of frontend/server.py, which is what developers see: the two must not differ.
"""

import gzip
import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from local_stack.machine import free_port
from support.deployment.emulator import running_emulator
from support.deployment.frontend import API_URL, REPOSITORY_URL, VARIABLES, user_data
from support.deployment.terraform import TerraformRoot
from support.prerequisites import require_program, require_root
from support.repository.files import REPOSITORY
from support.storefront import web_server
from support.storefront.agent import add_agent
from support.storefront.server import FRONTEND, load_server
from support.storefront.web_server import Installation

DEADLINE_SECONDS = 30

# These differ from server to server and tell a browser nothing; the digest in an ETag is of the server's own kind, and
# a server that ignores ranges may say so.
OF_THE_SERVER = {"accept-ranges", "connection", "content-length", "date", "etag", "keep-alive", "server"}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The user data of a planned launch template."""
    require_root("making a Debian system")
    require_program("terraform", "install Terraform 1.9 or newer to test the web servers")
    directory = tmp_path_factory.mktemp("terraform")
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        root = TerraformRoot(REPOSITORY / "terraform-frontend", directory / "terraform-frontend", emulator.environment)
        return user_data(root.plan(VARIABLES))


@dataclass(frozen=True)
class WebServer:
    installation: Installation
    port: int


@pytest.fixture(scope="module")
def apache(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A web server whose download of the agent has another signature than AWS's."""
    with web_server.new_machine() as root:
        web_server.add_repository(root)
        add_agent(root, tmp_path_factory.mktemp("agent"))
        port = free_port()
        installation = web_server.install(root, script, port)
        assert installation.status == 0, installation.log
        yield WebServer(installation, port)


@pytest.fixture(scope="module")
def server_py() -> Iterator[int]:
    """The port of frontend/server.py, told of the same API."""
    server = load_server().start("127.0.0.1", "0", API_URL)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> bytes:
        return gzip.decompress(self.body) if self.headers["Content-Encoding"] == "gzip" and self.body else self.body

    @property
    def headers_that_matter(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items() if name.lower() not in OF_THE_SERVER}


def ask(port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def release_of(port: int) -> str:
    """Return the path that the page loads its code from."""
    [release] = set(re.findall(r'"([0-9a-f]{16})/[a-z-]+\.(?:css|js)"', ask(port, "/").body.decode()))
    return str(release)


# What the script does


def test_the_script_says_what_it_does_and_which_commit_it_serves(apache: WebServer) -> None:
    log = apache.installation.log
    for step in (
        "installing packages",
        f"fetching main of {REPOSITORY_URL}",
        "serving commit ",
        "starting Apache",
        "done",
    ):
        assert f" storefront: {step}" in log, step
    # Told by the log and not by its pauses: Apache's own start script may pause as well.
    assert " of 5 failed: " not in log, "nothing had to be tried again"


def is_agent_installed(installation: Installation) -> bool:
    return (installation.root / "var" / "lib" / "dpkg" / "info" / "amazon-ssm-agent.list").exists()


def test_an_agent_that_aws_did_not_sign_is_not_installed(apache: WebServer) -> None:
    log = apache.installation.log
    assert "https://s3.eu-west-1.amazonaws.com/amazon-ssm-eu-west-1/latest/debian_" in log
    assert "No public key" in log
    assert "WARNING: no sessions can be opened" in log
    assert not is_agent_installed(apache.installation)
    assert ask(apache.port, "/health").status == 200, "it serves all the same"


def test_only_what_is_public_is_put_in_place(apache: WebServer) -> None:
    site = apache.installation.root / "var" / "www" / "storefront"
    code = {"config.js"} | {file.name for ending in ("css", "js") for file in FRONTEND.glob(f"*.{ending}")}
    expected = {"index.html", "health", *code} | {f"images/{file.name}" for file in FRONTEND.glob("images/*.svg")}
    expected |= {f"{release_of(apache.port)}/{name}" for name in code}
    placed = {str(file.relative_to(site)) for file in site.rglob("*") if file.is_file() and file.suffix != ".gzip"}
    assert placed == expected


def test_the_page_is_served_and_knows_the_api(apache: WebServer) -> None:
    release = release_of(apache.port)
    assert ask(apache.port, "/").body.replace(f"{release}/".encode(), b"") == (FRONTEND / "index.html").read_bytes()
    assert ask(apache.port, f"/{release}/main.js").body == (FRONTEND / "main.js").read_bytes()
    for path in ("/config.js", f"/{release}/config.js"):
        assert ask(apache.port, path).body == f'export default {{ apiUrl: "{API_URL}" }};\n'.encode()
    assert ask(apache.port, "/health").body == b"ok\n"


def test_the_health_questions_of_the_load_balancer_are_not_logged(apache: WebServer) -> None:
    ask(apache.port, "/health")
    ask(apache.port, "/style.css", headers={"X-Forwarded-For": "203.0.113.7"})
    log = (apache.installation.root / "var" / "log" / "apache2" / "access.log").read_text()
    assert "203.0.113.7" in log, "the customer's address, not the load balancer's"
    assert "/health" not in log


# How it fails


@pytest.fixture
def machine() -> Iterator[Path]:
    with web_server.new_machine() as root:
        yield root


def expect_failure(installation: Installation, reason: str) -> None:
    assert installation.status != 0, "cloud-init reports a failed script"
    assert "storefront: FAILED in line" in installation.log
    assert reason in installation.log
    assert "storefront: done" not in installation.log
    assert not installation.is_apache_running, "the instance must not turn healthy"


def test_packages_that_cannot_be_had_make_it_fail_after_five_attempts(machine: Path, script: str) -> None:
    web_server.add_repository(machine)
    (machine / "etc" / "apt" / "sources.list").write_text("deb [trusted=yes] file:///nowhere trixie main\n")
    installation = web_server.install(machine, script, free_port())
    expect_failure(installation, "FAILED in line")
    assert installation.log.count(" failed: apt_get update") == 5
    assert installation.pauses == [5, 10, 15, 20]


def test_a_repository_that_cannot_be_fetched_makes_it_fail_after_five_attempts(
    machine: Path, script: str, tmp_path: Path
) -> None:
    # One machine for three failures: its packages are the slow part.
    pinned = re.search(r"<<'KEY'\n(.*?)\nKEY\n", script, re.DOTALL)
    assert pinned
    script = script.replace(pinned[1], add_agent(machine, tmp_path))
    installation = web_server.install(machine, script, free_port())
    expect_failure(installation, "does not appear to be a git repository")
    assert "sessions can be opened" in installation.log, "so that an operator can look at the failure"
    assert is_agent_installed(installation)
    assert installation.pauses == [5, 10, 15, 20]

    web_server.add_repository(machine, branch="other")
    installation = web_server.install(machine, script, free_port())
    expect_failure(installation, "couldn't find remote ref main")

    web_server.add_repository(machine, folder="elsewhere")
    installation = web_server.install(machine, script, free_port())
    expect_failure(installation, "frontend")


# Apache beside frontend/server.py


PUBLIC = ["/", "/index.html", "/main.js?v=1", "/style.css", "/config.js", "/images/banana.svg", "/health", "/health?x"]
PUBLIC += ["/{release}/main.js", "/{release}/style.css", "/{release}/config.js"]
NOT_PUBLIC = [
    "/nothing",
    "/0123456789abcdef/main.js",
    "/{release}/",
    "/{release}/index.html",
    "/{release}/images/banana.svg",
    "/notes.txt",
    "/leak.js",
    "/server.py",
    "/images",
    "/images/",
    "/.git/config",
    "/__pycache__/",
    "/favicon.ico",
    "/health/",
    "/main.js/",
    "/main.js;x",
    "/MAIN.JS",
    "/%6dain.js",
    "/./main.js",
    "/images/../main.js",
    "/images/..%2f..%2fpyproject.toml",
    "/%2e%2e%2fpyproject.toml",
    "/main.js%00.html",
    "http://127.0.0.1/main.js",
    # What Apache has beside the page.
    "/main.js.gzip",
    "/.errors/404",
    "/icons/",
    "/server-status",
    "/cgi-bin/",
]


@pytest.mark.parametrize("path", [*PUBLIC, *NOT_PUBLIC])
def test_apache_answers_as_server_py_does(apache: WebServer, server_py: int, path: str) -> None:
    is_public = path in PUBLIC
    path = path.replace("{release}", release_of(server_py))
    for method in ("GET", "HEAD"):
        expect_equal(ask(apache.port, path, method), ask(server_py, path, method))
    assert ask(apache.port, path).status == (200 if is_public else 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"])
def test_apache_refuses_other_methods_as_server_py_does(apache: WebServer, server_py: int, method: str) -> None:
    for path in ("/", "/health", "/nothing"):
        expect_equal(ask(apache.port, path, method), ask(server_py, path, method))


@pytest.mark.parametrize("path", ["/", "/main.js", "/config.js", "/images/banana.svg", "/nothing"])
@pytest.mark.parametrize(
    "accepted", ["gzip", "gzip, br", "br, GZIP ;q=0.5", "gzip;q=0", "gzip; q=0.0, br", "x-gzip", "br"]
)
def test_apache_compresses_for_those_that_server_py_compresses_for(
    apache: WebServer, server_py: int, path: str, accepted: str
) -> None:
    headers = {"Accept-Encoding": accepted}
    expect_equal(ask(apache.port, path, headers=headers), ask(server_py, path, headers=headers))


@pytest.mark.parametrize("path", ["/", "/main.js", "/config.js", "/images/banana.svg", "/health"])
@pytest.mark.parametrize("accepted", ["identity", "gzip"])
def test_apache_does_not_send_a_current_copy_again(apache: WebServer, server_py: int, path: str, accepted: str) -> None:
    again = []
    for port in (apache.port, server_py):
        headers = {"Accept-Encoding": accepted}
        etag = ask(port, path, headers=headers).headers["ETag"]
        assert not etag.startswith("W/")
        again.append(ask(port, path, headers={**headers, "If-None-Match": etag}))
        assert again[-1].status == 304
        assert again[-1].headers["ETag"] == etag
    expect_equal(*again)


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Range": "bytes=0-9"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"},
    ],
    ids=str,
)
def test_apache_takes_the_same_headers_into_account_as_server_py(
    apache: WebServer, server_py: int, headers: dict[str, str]
) -> None:
    expect_equal(ask(apache.port, "/main.js", headers=headers), ask(server_py, "/main.js", headers=headers))


@pytest.mark.parametrize(
    "target", ["*", "/../../etc/passwd", "/%", "/%zz", "/%2e%2e/pyproject.toml", "/..", "/\\..", "main.js"]
)
def test_a_malformed_address_is_refused_by_both_with_the_same_headers(
    apache: WebServer, server_py: int, target: str
) -> None:
    # 400 by Apache, which cannot read them; 404 by server.py, which does not try.
    answers = [ask(apache.port, target), ask(server_py, target)]
    for answer in answers:
        assert answer.status in (400, 404)
        assert answer.body == b"%d %s\n" % (answer.status, {400: b"Bad Request", 404: b"Not Found"}[answer.status])
    assert answers[0].headers_that_matter == answers[1].headers_that_matter


def test_an_etag_is_the_same_on_every_instance(apache: WebServer) -> None:
    # The clone gives each instance files of another time.
    before = ask(apache.port, "/main.js").headers["ETag"]
    (apache.installation.root / "var" / "www" / "storefront" / "main.js").touch()
    after = ask(apache.port, "/main.js")
    assert after.headers["ETag"] == before
    assert "Last-Modified" not in after.headers


def expect_equal(ours: Answer, reference: Answer) -> None:
    assert ours.status == reference.status
    assert ours.headers_that_matter == reference.headers_that_matter
    assert ours.text == reference.text
