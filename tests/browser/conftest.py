"""Real Chromium, a storefront and an order API that does as it is told, a new one of each for every test."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from browser.fake_order_api import FakeOrderApi
from browser.visit import Visit
from requirements_of_tests import require_program
from storefront.server import load_server

_HERE = Path(__file__).parent
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # A name that is neither localhost nor reached by TLS, as a storefront behind a plain load balancer has.
    "--host-resolver-rules=MAP storefront.example 127.0.0.1",
    "--no-first-run",
]


def _found_chromium() -> str | None:
    return next((name for name in _CHROMIUMS if shutil.which(name)), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where Chromium is missing, let one skipped test speak for all: one loud line instead of a hundred."""
    if _found_chromium() or os.environ.get("CI") == "true":
        return
    silent = [item for item in items if _HERE in item.path.parents][1:]
    config.hook.pytest_deselected(items=silent)
    items[:] = [item for item in items if item not in silent]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = require_program(
        _found_chromium() or _CHROMIUMS[0], "no test of the storefront in a browser runs (apt-get install chromium)"
    )
    # Chromium's sandbox refuses to run as root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS + sandbox)
        yield browser
        browser.close()


@pytest.fixture
def api() -> Iterator[FakeOrderApi]:
    api = FakeOrderApi()
    yield api
    api.close()


@contextmanager
def _served(api_url: str | None) -> Iterator[str]:
    server = load_server().start("127.0.0.1", "0", api_url)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield str(server.url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[str | None], str]]:
    """Serve the storefront with an API address; return where."""
    with ExitStack() as stack:
        yield lambda api_url: stack.enter_context(_served(api_url))


@pytest.fixture(scope="session")
def in_page(chromium: Browser) -> Iterator[Callable[..., Any]]:
    """Call a function, given as JavaScript, in a page that may import the storefront's modules but is not open."""
    with _served(None) as url, closing(chromium.new_page()) as page:
        page.goto(f"{url}/health")
        yield page.evaluate


@pytest.fixture
def new_visit(
    chromium: Browser, api: FakeOrderApi, serve: Callable[[str | None], str]
) -> Iterator[Callable[..., Visit]]:
    """Begin a visit, not opened yet, with a browser context of these options; complaints of the page fail the test."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def begin(storefront_url: str | None = None, api_url: str = api.url, **context_options: Any) -> Visit:
            context = chromium.new_context(**{"locale": "en-GB", **context_options})
            stack.callback(context.close)
            visits.append(Visit(context.new_page(), storefront_url or serve(api_url), api_url))
            return visits[-1]

        yield begin
        complaints = [complaint for visit in visits for complaint in visit.complaints]
    assert complaints == []


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    """A visit in a desktop window, opened."""
    visit = new_visit()
    visit.open()
    return visit


@pytest.fixture
def visit_with_clock(new_visit: Callable[..., Visit]) -> Visit:
    """A visit in a desktop window, opened, whose clock the test can wind on with `page.clock`."""
    visit = new_visit()
    visit.page.clock.install()
    visit.open()
    return visit
