"""Each order is placed once, despite double clicks, reloads and several tabs."""

import pytest
from playwright.sync_api import expect

from browser.fake_order_api import HANG, UNAVAILABLE, FakeOrderApi
from browser.visit import NewVisit, Visit


def middle_of_button(visit: Visit) -> tuple[float, float]:
    visit.place_button.scroll_into_view_if_needed()
    box = visit.place_button.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def expect_one_order(visit: Visit, api: FakeOrderApi) -> None:
    visit.expect_processed()
    expect(visit.summary).to_be_hidden()
    expect(visit.receipts).to_have_count(1)
    expect(visit.page.get_by_role("radio", checked=True)).to_have_count(0)
    assert len(api.submissions) == 1


def test_double_click_places_one_order_without_an_error(visit: Visit, api: FakeOrderApi) -> None:
    mouse = visit.page.mouse
    for width, height, gap, offset in ((320, 640, 30, 0), (1280, 2000, 450, 40), (320, 640, 450, 0)):
        visit.page.set_viewport_size({"width": width, "height": height})
        visit.fill()
        x, y = middle_of_button(visit)
        mouse.click(x, y)
        visit.page.wait_for_timeout(gap)
        mouse.click(x + offset, y)
        expect_one_order(visit, api)
        visit.page.evaluate("localStorage.clear()")
        visit.page.reload()
        api.submissions.clear()


def test_double_tap_and_double_enter_place_one_order(new_visit: NewVisit, api: FakeOrderApi) -> None:
    visit = new_visit(viewport={"width": 320, "height": 640}, has_touch=True)
    visit.open()
    visit.fill()
    x, y = middle_of_button(visit)
    for offset in (0, 6):
        visit.page.touchscreen.tap(x + offset, y)
        visit.page.wait_for_timeout(100)
    expect_one_order(visit, api)

    visit.page.reload()
    visit.fill(quantity="3")
    visit.page.get_by_label("Customer ID").press("Enter", delay=20)
    visit.page.wait_for_timeout(100)
    visit.page.keyboard.press("Enter")
    visit.expect_accepted("3 × Banana")
    expect(visit.summary).to_be_hidden()
    visit.place(product="Pear")  # another order is accepted at once
    visit.expect_processed("2 × Pear")
    assert len(api.submissions) == 3


def test_double_click_on_an_invalid_order_only_shows_errors(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 320, "height": 640})
    x, y = middle_of_button(visit)
    for _ in range(2):  # the first click scrolls to the summary, so the second click hits another element
        visit.page.mouse.click(x, y)
        visit.page.wait_for_timeout(200)
    expect(visit.summary).to_be_focused()
    expect(visit.page.get_by_role("radio", checked=True)).to_have_count(0)


def test_order_is_placed_once_when_the_page_reloads_while_sending(visit: Visit, api: FakeOrderApi) -> None:
    api.script.append(HANG)
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.reload()
    visit.expect_accepted()
    assert visit.page.evaluate("document.activeElement === document.body"), "a reload must not move the focus"
    assert len(set(api.keys)) == 1
    api.release()
    visit.page.reload()
    visit.expect_processed()
    assert len(api.submissions) == 2, "a confirmed order must not be sent again"


def test_other_tab_shows_the_pending_order_and_keeps_its_form(visit: Visit, api: FakeOrderApi) -> None:
    other = visit.another_tab()
    other.fill(product="Pear", quantity="3")
    api.script.append(HANG)
    visit.place(product="Banana", quantity="1")
    expect(other.notice).to_contain_text("Another tab is sending your order for 1 × Banana.")
    expect(other.notice).not_to_contain_text("is not confirmed yet")
    # Clicks in either tab send no further request.
    visit.page.get_by_label("Quantity").press("Enter")
    for tab in (visit, other):
        tab.place_button.click(force=True)
    expect(other.page.locator(".docket__pick")).to_have_text("3 × Pear")
    api.release()
    other.expect_accepted("1 × Banana")
    expect(other.notice).to_be_empty()
    other.place_button.click()
    other.expect_accepted("3 × Pear")
    assert [submission["product_id"] for submission in api.submissions] == ["Banana", "Pear"]


@pytest.mark.parametrize("button", ["Try again now", "Start over"])
def test_draft_is_restored_after_the_order_of_a_closed_tab(own_visit: Visit, api: FakeOrderApi, button: str) -> None:
    other = own_visit.another_tab()
    other.fill(product="Pear", quantity="3")
    api.script.append(UNAVAILABLE)
    own_visit.place()
    expect(other.notice).to_contain_text("Another tab is sending")
    # The first request has its response.
    expect(own_visit.notice).to_contain_text("The shop cannot take orders right now")
    own_visit.page.close()
    expect(other.notice).to_contain_text("Your order for 2 × Banana is not confirmed yet.")
    expect(other.page.locator(".docket__pick")).to_have_text("2 × Banana")
    other.page.get_by_role("button", name=button).click()
    expect(other.page.locator(".docket__pick")).to_have_text("3 × Pear")
    expect(other.receipts).to_have_count(1 if button == "Try again now" else 0)
    assert len(set(api.keys)) == 1


def test_page_shows_orders_of_other_tabs_when_restored_from_bfcache(own_visit: Visit) -> None:
    own_visit.page.context.add_init_script("addEventListener('storage', (event) => event.stopImmediatePropagation())")
    other = own_visit.another_tab()
    own_visit.place()
    own_visit.expect_accepted()
    expect(other.receipts).to_have_count(0)
    other.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    other.expect_accepted()
