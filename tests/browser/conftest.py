"""Chromium, the storefront and a scripted order API; each test has its own server, API and browser context."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.fake_order_api import URL, FakeOrderApi
from browser.visit import Visit
from support.chromium import found_chromium
from support.storefront.server import load_server

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium, skip one test instead of all."""
    if found_chromium() or os.environ.get("CI") == "true":
        return
    skipped = [item for item in items if _HERE in item.path.parents][1:]
    config.hook.pytest_deselected(items=skipped)
    items[:] = [item for item in items if item not in skipped]


@pytest.fixture
def api() -> FakeOrderApi:
    return FakeOrderApi()


@contextmanager
def _served(api_url: str | None, host: str = "127.0.0.1") -> Iterator[str]:
    server = load_server().start("127.0.0.1", "0", api_url)
    if host != "127.0.0.1":
        server.is_own_host = lambda header: True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves the storefront with an API URL and an optional host name, and returns its URL."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(_served(*arguments))


@pytest.fixture
def stopped_page(chromium: Browser) -> Iterator[Page]:
    """A page that can import the storefront's modules. Its storage is empty, and only the test advances its clock."""
    with _served(None) as url, closing(chromium.new_context()) as context:
        page = context.new_page()
        page.clock.install(time="2026-03-01T10:00:00Z")
        page.goto(f"{url}/health")
        page.clock.pause_at("2026-03-01T11:00:00Z")
        yield page


@pytest.fixture
def new_visit(chromium: Browser, api: FakeOrderApi, serve: Callable[..., str]) -> Iterator[Callable[..., Visit]]:
    """Return a function that begins a visit, with options of the browser context. Page errors fail the test."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def begin(storefront_url: str | None = None, api_url: str = URL, **context_options: Any) -> Visit:
            context = chromium.new_context(**{"locale": "en-GB", **context_options})
            stack.callback(context.close)
            api.serve(context)
            visits.append(Visit(context.new_page(), storefront_url or serve(api_url), api_url))
            return visits[-1]

        yield begin
        errors = [error for visit in visits for error in visit.errors]
    assert errors == []


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    """An open visit in a desktop window."""
    visit = new_visit()
    visit.open()
    return visit


@pytest.fixture
def visit_with_clock(new_visit: Callable[..., Visit]) -> Visit:
    """An open visit in a desktop window whose clock the test can advance with `page.clock`."""
    visit = new_visit()
    visit.page.clock.install()
    visit.open()
    return visit
