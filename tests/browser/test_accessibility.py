"""Accessibility of each state: window sizes, color schemes, keyboard, large text, reduced motion."""

from typing import Any

from playwright.sync_api import expect

from browser.fake_order_api import HANG, UNAVAILABLE, FakeOrderApi, problem
from browser.visit import Visit

# Color schemes by window size; 640 x 400 is a window of 1280 x 800 at a zoom of 200 %. axe runs in the windows with a color
# scheme, which cover every CSS rule in both schemes.
WINDOWS: dict[tuple[int, int], Any] = {(320, 640): "light", (640, 400): None, (1280, 800): "dark", (2560, 1440): None}


def test_every_state_is_accessible_and_fits_in_every_window(own_visit: Visit, api: FakeOrderApi) -> None:
    visit = own_visit

    def check() -> None:
        for (width, height), color_scheme in WINDOWS.items():
            visit.page.set_viewport_size({"width": width, "height": height})
            if color_scheme:
                visit.page.emulate_media(color_scheme=color_scheme)
                visit.expect_accessible()
            visit.expect_no_sideways_scrolling()
            visit.expect_nothing_cut_off()

    api.processes = False
    check()

    visit.page.get_by_label("Quantity").fill("many")
    visit.place_button.click()
    expect(visit.summary).to_be_focused()
    check()

    api.script.extend([HANG, UNAVAILABLE])
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.clock.run_for(5_000)
    expect(visit.notice).to_contain_text("responding slowly")
    check()

    visit.page.clock.run_for(11_000)
    expect(visit.notice).to_contain_text("cannot take orders right now")
    check()

    visit.place_button.click()
    expect(visit.receipts.first).to_contain_text("Being processed")
    check()

    api.processes = True
    visit.advance_clock_until("Processed")
    api.poll_script.append(problem(404, "ORDER_NOT_FOUND", "No order has this id."))
    visit.place(product="Strawberry", quantity="12", customer_id="Corner-Shop_7")
    expect(visit.receipts).to_have_count(2)
    visit.advance_clock_until("has no order with this number")
    check()


def test_order_can_be_placed_by_keyboard_with_a_visible_focus(visit: Visit, api: FakeOrderApi) -> None:
    keyboard = visit.page.keyboard
    keyboard.press("Tab")
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(visit.page.get_by_role("radio", name="Banana")).to_be_checked()
    keyboard.press("Tab")
    expect(visit.page.get_by_role("button", name="One fewer")).to_be_focused()
    keyboard.press("Tab")
    expect(visit.page.get_by_label("Quantity")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Space")
    expect(visit.page.get_by_label("Quantity")).to_have_value("2")
    keyboard.press("Tab")
    keyboard.type("001")
    keyboard.press("Enter")
    expect(visit.receipts.first).to_be_focused()
    visit.expect_processed("2 × Banana")

    visit.page.reload()
    visit.expect_processed("2 × Banana")
    seen: list[Any] = []
    while True:
        keyboard.press("Tab")
        stop = visit.page.evaluate(
            """() => {
              const focused = document.activeElement;
              if (focused === document.body) return null;
              const outlined = focused.closest(".product") ?? focused;
              const style = getComputedStyle(outlined);
              return [focused.id || focused.textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        if stop is None or (stop in seen and stop != seen[-1]):
            break
        if stop not in seen:  # one date field has several tab stops
            seen.append(stop)
    assert len(seen) == 9
    assert [stop for stop in seen if stop[1] != "solid" or stop[2] < 3] == []


def test_text_fits_when_size_or_spacing_changes(visit: Visit) -> None:
    visit.page.evaluate("document.documentElement.style.fontSize = '200%'")
    visit.expect_no_sideways_scrolling()
    visit.page.set_viewport_size({"width": 320, "height": 800})
    visit.page.evaluate(
        """() => {
          document.documentElement.style.fontSize = "";
          for (const element of document.querySelectorAll("body *")) {
            Object.assign(element.style, { lineHeight: "1.5", letterSpacing: "0.12em" });
          }
        }"""
    )
    visit.expect_no_sideways_scrolling()


def test_page_has_no_motion_when_reduced_motion_is_preferred(own_visit: Visit) -> None:
    visit = own_visit
    visit.page.context.add_init_script(
        "addEventListener('animationstart', (event) => { window.moved ||= event.animationName !== 'reveal'; });"
        "addEventListener('transitionstart', () => { window.moved = true; });"
    )
    preference: Any
    for preference in ("no-preference", "reduce"):
        visit.page.emulate_media(reduced_motion=preference)
        visit.page.reload()
        visit.place()
        visit.expect_processed()
        assert visit.page.evaluate("window.moved === true") is (preference == "no-preference")


def test_selected_product_is_visible_in_forced_colors(visit: Visit) -> None:
    visit.page.emulate_media(forced_colors="active")
    visit.page.get_by_role("radio", name="Pear").check()
    styles = visit.page.locator(".product").evaluate_all(
        "(cards) => cards.map((card) => getComputedStyle(card).outlineStyle)"
    )
    assert styles.count("solid") == 1
