"""Chromium, the storefront and a scripted order API; each test has its own API and an empty browser storage."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser.fake_order_api import URL, FakeOrderApi
from browser.visit import NewVisit, Visit
from support.storefront.server import served


@pytest.fixture
def api() -> FakeOrderApi:
    return FakeOrderApi()


@pytest.fixture(scope="module")
def storefront_url() -> Iterator[str]:
    with served(URL) as url:
        yield url


@pytest.fixture(scope="module")
def _shared_visit(chromium: Browser, storefront_url: str) -> Iterator[Visit]:
    # Creating a page takes three times as long as reusing one.
    with closing(chromium.new_context(locale="en-GB")) as context:
        yield Visit(context.new_page(), storefront_url, URL)


def _reset(page: Page, url: str) -> None:
    """Close the page and its tabs; reset routes, network and storage."""
    for tab in page.context.pages:
        if tab != page:
            tab.close()
    page.unroute_all()
    page.context.unroute_all()
    page.context.set_offline(False)
    page.goto("about:blank")
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})


@pytest.fixture
def stopped_page(_shared_visit: Visit, storefront_url: str) -> Iterator[Page]:
    """A page that can import the storefront's modules. Only the test advances its clock."""
    page = _shared_visit.page
    page.goto(f"{storefront_url}/health")
    page.clock.install(time="2026-03-01T10:00:00Z")
    page.clock.pause_at("2026-03-01T11:00:00Z")
    yield page
    _reset(page, storefront_url)


@pytest.fixture
def visit(_shared_visit: Visit, api: FakeOrderApi) -> Iterator[Visit]:
    """An open visit in a desktop window, in a page shared with other tests. Page errors fail the test."""
    visit = _shared_visit
    api.serve(visit.page.context)
    visit.page.set_viewport_size({"width": 1280, "height": 720})
    visit.page.emulate_media(color_scheme="light", reduced_motion="no-preference", forced_colors="none")
    visit.requests.clear()
    visit.open()
    yield visit
    _reset(visit.page, visit.storefront_url)
    errors, visit.errors[:] = list(visit.errors), []
    assert errors == []


@pytest.fixture
def new_visit(chromium: Browser, api: FakeOrderApi, storefront_url: str) -> Iterator[NewVisit]:
    """Return a function that creates a visit in a new context with these options. Page errors fail the test."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def create(url: str = storefront_url, api_url: str = URL, **context_options: Any) -> Visit:
            context = chromium.new_context(**{"locale": "en-GB", **context_options})
            stack.callback(context.close)
            api.serve(context)
            visits.append(Visit(context.new_page(), url, api_url))
            return visits[-1]

        yield create
        errors = [error for visit in visits for error in visit.errors]
    assert errors == []


@pytest.fixture
def own_visit(new_visit: NewVisit) -> Visit:
    """An open visit in a new context, whose clock the test can advance with `page.clock`."""
    visit = new_visit()
    visit.page.clock.install()
    visit.open()
    return visit
