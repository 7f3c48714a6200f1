"""Page load: files, code of one release only, and messages when code or configuration is missing."""

import gzip
import re

import pytest
from playwright.sync_api import Response, Route, expect

from browser.fake_order_api import URL, FakeOrderApi
from browser.visit import NewVisit
from support.storefront.server import served

BUDGET_BYTES = 40_000
COULD_NOT_START = "The shop could not start. Reload the page."


def test_first_load_stays_within_its_budget_and_loads_one_release(new_visit: NewVisit) -> None:
    visit = new_visit()
    responses: list[Response] = []
    visit.page.on("response", lambda response: responses.append(response))  # noqa: PLW0108 - as below
    visit.page.goto(visit.storefront_url, wait_until="networkidle")
    counted = [response for response in responses if response.request.resource_type != "image"]
    assert {response.request.resource_type for response in counted} >= {"document", "stylesheet", "script"}
    # Apache compresses them.
    assert sum(len(gzip.compress(response.body())) for response in counted) < BUDGET_BYTES
    code = [url for url in visit.requests if url.endswith((".js", ".css"))]
    assert len(code) == len(set(code)), "each module must be loaded once"
    assert len({re.sub(r"[a-z]+\.(css|js)$", "", url) for url in code}) == 1, "all code must come from one path"
    preloaded = visit.page.locator("link[rel=modulepreload]").evaluate_all("(links) => links.map((link) => link.href)")
    assert set(preloaded) == {url for url in code if not url.endswith(("/config.js", "/main.js", ".css"))}


def test_page_does_not_start_when_it_gets_code_of_two_releases(new_visit: NewVisit) -> None:
    visit = new_visit()
    for name in ("view.js", "style.css"):

        def other_release(route: Route, name: str = name) -> None:
            # Behind a load balancer, a request can reach a server of another release, which has no such path.
            route.fulfill(response=route.fetch(url=f"{visit.storefront_url}/0123456789abcdef/{name}"))

        visit.page.route(f"**/{name}", other_release)
        visit.page.goto(visit.storefront_url)
        expect(visit.page.get_by_text(COULD_NOT_START)).to_be_visible()
        expect(visit.place_button).to_be_disabled()
        visit.page.unroute(f"**/{name}")
        visit.page.reload()
        visit.place()
        visit.expect_accepted()
        expect(visit.page.get_by_text(COULD_NOT_START)).to_be_hidden()
    visit.errors.clear()


def test_page_shows_a_message_when_javascript_is_disabled(new_visit: NewVisit) -> None:
    visit = new_visit(java_script_enabled=False)
    visit.page.goto(visit.storefront_url)
    assert visit.page.get_by_text(COULD_NOT_START).is_visible()
    assert visit.page.locator("noscript p").is_visible()


@pytest.mark.parametrize("script", ["main.js", "config.js"])
def test_input_before_the_page_has_started_is_kept(new_visit: NewVisit, api: FakeOrderApi, script: str) -> None:
    visit = new_visit()
    paused: list[Route] = []
    visit.page.route(f"**/{script}", lambda route: paused.append(route))  # noqa: PLW0108 - Playwright counts its parameters
    with visit.page.expect_request(f"**/{script}"):
        visit.page.goto(visit.storefront_url, wait_until="commit")
    message = visit.page.get_by_text(COULD_NOT_START).locator("..")
    # The delay keeps the message hidden while the page loads.
    assert message.evaluate("(element) => getComputedStyle(element).animationDelay") == "2s"
    visit.fill(customer_id="quick")
    visit.page.get_by_label("Quantity").press("Enter")
    paused[0].continue_()
    expect(visit.page.get_by_label("Customer ID")).to_have_value("quick")
    visit.place_button.click()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_missing_configuration_is_requested_again_until_loaded(new_visit: NewVisit) -> None:
    visit = new_visit()
    failing = True
    visit.page.route("**/config.js*", lambda route: route.abort() if failing else route.continue_())
    visit.page.clock.install()
    visit.page.goto(visit.storefront_url)
    banner = visit.page.get_by_role("alert")
    for seconds in (1, 2):
        expect(banner).to_contain_text("The shop cannot be reached.")
        expect(visit.place_button).to_be_disabled()
        expect(visit.page.get_by_text(COULD_NOT_START)).to_be_hidden()
        with visit.page.expect_request("**/config.js*"):
            visit.page.clock.run_for(seconds * 1000)
    visit.expect_accessible()
    failing = False
    with visit.page.expect_request("**/config.js*", timeout=2_000):  # the next automatic attempt is after 4 s
        visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(banner).to_be_hidden()
    visit.place()
    visit.expect_accepted()
    visit.errors.clear()


def test_shop_is_closed_when_the_configuration_is_invalid(new_visit: NewVisit) -> None:
    visit = new_visit()
    config = "export default { apiUrl: 'not an address' };"
    visit.page.route("**/config.js", lambda route: route.fulfill(content_type="text/javascript", body=config))
    visit.page.goto(visit.storefront_url)
    expect(visit.page.get_by_role("alert")).to_contain_text("The shop is closed")
    expect(visit.place_button).to_be_disabled()


def test_page_works_without_tls(new_visit: NewVisit) -> None:
    with served(URL, "storefront.example") as url:
        visit = new_visit(url)
        visit.open()
        assert visit.page.evaluate("isSecureContext") is False
        visit.place()
        visit.expect_processed()
