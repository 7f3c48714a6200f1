"""The user data, run in a fresh Debian 13: the web server's responses, and failures of the installation.

Apache must respond like frontend/server.py, which developers use.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.fake_order_api import FakeOrderApi
from browser.visit import Visit
from local_stack.machine import free_port
from support.deployment.api import DeployedApi, Response
from support.deployment.frontend import API_URL, REPOSITORY_URL, user_data
from support.deployment.terraform import Plan
from support.prerequisites import require_root
from support.storefront import web_server
from support.storefront.server import FRONTEND, served
from support.storefront.web_server import Installation, add_agent
from support.waiting import wait_for

# Headers that differ between servers and have no effect on a browser.
SERVER_HEADERS = {"accept-ranges", "connection", "content-length", "date", "etag", "keep-alive", "server", "vary"}


@pytest.fixture(scope="module")
def script(frontend_plan: Plan) -> str:
    require_root("making a Debian system")
    return user_data(frontend_plan)


@pytest.fixture(scope="module")
def apache(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A web server whose agent package is not signed by AWS."""
    with web_server.new_machine() as root:
        web_server.add_repository(root)
        add_agent(root, tmp_path_factory.mktemp("agent"))
        installation = web_server.install(root, script, free_port())
        assert installation.status == 0, installation.log
        yield installation


@pytest.fixture(scope="module")
def server_py() -> Iterator[int]:
    """The port of frontend/server.py with the same API."""
    with served(API_URL) as url:
        yield int(url.rpartition(":")[2])


def fetch(port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Response:
    return DeployedApi(f"http://127.0.0.1:{port}", timeout_seconds=30).send(method, path, headers=headers)


def relevant_headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in SERVER_HEADERS}


def assert_equal(apache: Response, server_py: Response) -> None:
    assert apache.status == server_py.status
    assert relevant_headers(apache) == relevant_headers(server_py)
    assert apache.body == server_py.body


def release_of(port: int) -> str:
    """Return the release in the paths of the page's code."""
    [release] = set(re.findall(r'"([0-9a-f]{16})/[a-z-]+\.(?:css|js)"', fetch(port, "/").body.decode()))
    return str(release)


def test_script_logs_its_steps_and_the_commit(apache: Installation) -> None:
    log = apache.log
    steps = ("installing packages", f"fetching main of {REPOSITORY_URL}", "serving commit ", "starting Apache", "done")
    for step in steps:
        assert f" storefront: {step}" in log, step
    assert " of 5 failed: " not in log, "no step was retried"
    assert "policy-rc.d denied execution of start" in log, (
        "an instance whose installation fails must not become healthy"
    )


def is_agent_installed(installation: Installation) -> bool:
    return (installation.root / "var" / "lib" / "dpkg" / "info" / "amazon-ssm-agent.list").exists()


def test_agent_is_not_installed_without_a_signature_of_aws(apache: Installation) -> None:
    log = apache.log
    assert "https://s3.eu-west-1.amazonaws.com/amazon-ssm-eu-west-1/latest/debian_" in log
    assert "No public key" in log
    assert "WARNING: no sessions can be opened" in log
    assert not is_agent_installed(apache)
    assert fetch(apache.port, "/health").status == 200


def test_only_public_files_are_installed(apache: Installation) -> None:
    site = apache.root / "var" / "www" / "storefront"
    code = {"config.js"} | {file.name for ending in ("css", "js") for file in FRONTEND.glob(f"*.{ending}")}
    expected = {"index.html", "health", *code} | {f"images/{file.name}" for file in FRONTEND.glob("images/*.svg")}
    expected |= {f"{release_of(apache.port)}/{name}" for name in code}
    placed = {str(file.relative_to(site)) for file in site.rglob("*") if file.is_file() and file.suffix != ".gzip"}
    assert placed == expected


def test_page_places_an_order_in_chromium(apache: Installation, chromium: Browser) -> None:
    api = FakeOrderApi()
    with closing(chromium.new_context(locale="en-GB")) as context:
        api.serve(context, API_URL)
        visit = Visit(context.new_page(), f"http://127.0.0.1:{apache.port}", API_URL)
        visit.open()
        visit.place()
        visit.expect_processed()
        visit.page.reload()
        visit.expect_processed()
        # Such as violations of the page's security policy.
        assert visit.errors == []


def test_health_checks_are_not_logged(apache: Installation) -> None:
    fetch(apache.port, "/health")
    fetch(apache.port, "/style.css", headers={"X-Forwarded-For": "203.0.113.7"})
    log = apache.root / "var" / "log" / "apache2" / "access.log"
    # Apache logs a request after its response.
    wait_for("the customer's address, not the load balancer's", lambda: "203.0.113.7" in log.read_text())
    assert "/health" not in log.read_text()


@pytest.fixture
def machine(apache: Installation) -> Iterator[Path]:
    """A copy of the installed machine, on which Apache does not run."""
    with web_server.new_machine(apache.root) as root:
        yield root


def assert_failed(installation: Installation, reason: str) -> None:
    assert installation.status != 0
    assert "storefront: FAILED in line" in installation.log
    assert reason in installation.log
    assert "storefront: done" not in installation.log
    assert not installation.is_apache_running, "the instance must not become healthy"


def test_missing_packages_fail_after_five_attempts(machine: Path, script: str) -> None:
    web_server.add_repository(machine)
    (machine / "etc" / "apt" / "sources.list").write_text("deb [trusted=yes] file:///nowhere trixie main\n")
    installation = web_server.install(machine, script, free_port())
    assert_failed(installation, "FAILED in line")
    assert installation.log.count(" failed: apt_get update") == 5
    assert installation.pauses == [5, 10, 15, 20]


def test_unreachable_repository_fails_after_five_attempts(machine: Path, script: str, tmp_path: Path) -> None:
    pinned = re.search(r"<<'KEY'\n(.*?)\nKEY\n", script, re.DOTALL)
    assert pinned
    script = script.replace(pinned[1], add_agent(machine, tmp_path))
    installation = web_server.install(machine, script, free_port())
    assert_failed(installation, "does not appear to be a git repository")
    assert "sessions can be opened" in installation.log, "an operator can open a session to diagnose the failure"
    assert is_agent_installed(installation)
    assert installation.pauses == [5, 10, 15, 20]

    web_server.add_repository(machine, branch="other")
    installation = web_server.install(machine, script, free_port())
    assert_failed(installation, "couldn't find remote ref main")

    web_server.add_repository(machine, folder="elsewhere")
    installation = web_server.install(machine, script, free_port())
    assert_failed(installation, "frontend")


PUBLIC = ["/", "/index.html", "/main.js?v=1", "/style.css", "/config.js", "/images/banana.svg", "/health", "/health?x"]
PUBLIC += ["/{release}/main.js", "/{release}/style.css", "/{release}/config.js"]
NOT_PUBLIC = ["/nothing", "/0123456789abcdef/main.js", "/notes.txt", "/leak.js", "/server.py", "/.git/config"]
NOT_PUBLIC += ["/{release}/", "/{release}/index.html", "/{release}/images/banana.svg", "/images", "/images/"]
NOT_PUBLIC += ["/__pycache__/", "/favicon.ico", "/health/", "/main.js/", "/main.js;x", "/MAIN.JS", "/%6dain.js"]
NOT_PUBLIC += ["/./main.js", "/images/../main.js", "/images/..%2f..%2fpyproject.toml", "/%2e%2e%2fpyproject.toml"]
NOT_PUBLIC += ["/main.js%00.html", "http://127.0.0.1/main.js"]
NOT_PUBLIC += ["/main.js.gzip", "/.errors/404", "/icons/", "/server-status", "/cgi-bin/"]  # Apache's own
METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"]
REQUESTS = [(method, path) for method in ("GET", "HEAD") for path in [*PUBLIC, *NOT_PUBLIC]]
REQUESTS += [(method, path) for method in METHODS for path in ("/", "/health", "/nothing")]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_apache_responds_like_server_py(apache: Installation, server_py: int, method: str, path: str) -> None:
    target = path.replace("{release}", release_of(server_py))
    response = fetch(apache.port, target, method)
    assert_equal(response, fetch(server_py, target, method))
    assert (response.status == 200) == (method in ("GET", "HEAD") and path in PUBLIC)


ENCODINGS = {"gzip": True, "gzip, br": True, "br, GZIP ;q=0.5": True, "gzip;q=0": False, "gzip; q=0.0, br": False}
ENCODINGS |= {"x-gzip": False, "br": False}


@pytest.mark.parametrize(("accepted", "accepts_gzip"), ENCODINGS.items())
def test_apache_compresses_long_texts_when_the_client_accepts_it(
    apache: Installation, accepted: str, accepts_gzip: bool
) -> None:
    for path, is_long in {"/": True, "/main.js": True, "/config.js": False, "/nothing": False}.items():
        plain, response = (fetch(apache.port, path, headers=h) for h in ({}, {"Accept-Encoding": accepted}))
        is_compressed = response.headers.get("content-encoding") == "gzip"
        assert is_compressed == (is_long and accepts_gzip), path
        assert (gzip.decompress(response.body) if is_compressed else response.body) == plain.body
        assert path == "/nothing" or response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Range": "bytes=0-9"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"},
    ],
    ids=str,
)
def test_apache_ignores_headers_like_server_py(apache: Installation, server_py: int, headers: dict[str, str]) -> None:
    assert_equal(fetch(apache.port, "/main.js", headers=headers), fetch(server_py, "/main.js"))


@pytest.mark.parametrize("path", ["/", "/main.js", "/config.js", "/images/banana.svg", "/health"])
@pytest.mark.parametrize("accepted", ["identity", "gzip"])
def test_apache_sends_304_for_an_unchanged_file(apache: Installation, path: str, accepted: str) -> None:
    headers = {"Accept-Encoding": accepted}
    etag = fetch(apache.port, path, headers=headers).headers["etag"]
    assert not etag.startswith("W/")
    again = fetch(apache.port, path, headers={**headers, "If-None-Match": etag})
    assert (again.status, again.headers["etag"], again.body) == (304, etag, b"")


@pytest.mark.parametrize(
    "target", ["*", "/../../etc/passwd", "/%", "/%zz", "/%2e%2e/pyproject.toml", "/..", "/\\..", "main.js"]
)
def test_malformed_target_gets_the_same_headers_from_both_servers(
    apache: Installation, server_py: int, target: str
) -> None:
    # Apache responds with 400, server.py with 404.
    responses = [fetch(apache.port, target), fetch(server_py, target)]
    for response in responses:
        assert response.body == {400: b"400 Bad Request\n", 404: b"404 Not Found\n"}[response.status]
    assert relevant_headers(responses[0]) == relevant_headers(responses[1])


def test_etag_is_the_same_on_every_instance(apache: Installation) -> None:
    # Modification times differ between instances.
    before = fetch(apache.port, "/main.js").headers["etag"]
    (apache.root / "var" / "www" / "storefront" / "main.js").touch()
    after = fetch(apache.port, "/main.js")
    assert after.headers["etag"] == before
    assert "last-modified" not in after.headers
