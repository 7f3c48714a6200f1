"""Accessibility of each state: window sizes, color schemes, keyboard, large text, reduced motion."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.fake_order_api import HANG, FakeOrderApi, problem
from browser.visit import Visit

WINDOWS: dict[str, dict[str, Any]] = {
    "phone-320-light": {"viewport": {"width": 320, "height": 640}, "color_scheme": "light"},
    # A window of 1280 x 800 at a zoom of 200 %.
    "zoom-200-light": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "desktop-1280-dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "wide-2560-dark": {"viewport": {"width": 2560, "height": 1440}, "color_scheme": "dark"},
}

# These windows cover every CSS rule in both color schemes; the others differ only in size.
CHECKED_BY_AXE = {"phone-320-light", "desktop-1280-dark"}


@pytest.mark.parametrize("window", WINDOWS)
def test_every_state_is_accessible_and_fits(new_visit: Callable[..., Visit], api: FakeOrderApi, window: str) -> None:
    visit = new_visit(**WINDOWS[window])
    visit.page.clock.install()

    def check() -> None:
        if window in CHECKED_BY_AXE:
            visit.expect_accessible()
        visit.expect_no_sideways_scrolling()
        visit.expect_nothing_cut_off()

    api.processes = False
    visit.open()
    check()

    visit.page.get_by_label("Quantity").fill("many")
    visit.place_button.click()
    expect(visit.summary).to_be_focused()
    check()

    unavailable = problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600)
    api.script.extend([HANG, unavailable])
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.clock.run_for(5_000)
    expect(visit.notice).to_contain_text("slow to answer")
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


def test_order_can_be_placed_with_the_keyboard(visit: Visit, api: FakeOrderApi) -> None:
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
    visit.expect_accepted("2 × Banana")


def test_focused_element_is_visible(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    visit.page.reload()
    visit.expect_processed()
    seen: list[Any] = []
    while True:
        visit.page.keyboard.press("Tab")
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


def test_focus_is_kept_when_the_form_is_locked(visit: Visit, api: FakeOrderApi) -> None:
    api.script.append(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600))
    visit.fill()
    visit.page.get_by_role("radio", name="Banana").press("Enter")
    expect(visit.place_button).to_have_text("Try again now")
    expect(visit.place_button).to_be_focused()
    visit.start_over_button.press("Enter")
    expect(visit.place_button).to_be_focused()


@pytest.mark.parametrize(
    ("width", "style"), [(1280, "fontSize: 200%"), (320, "lineHeight: 1.5; letterSpacing: 0.12em")]
)
def test_text_fits_when_size_or_spacing_changes(new_visit: Callable[..., Visit], width: int, style: str) -> None:
    visit = new_visit(viewport={"width": width, "height": 800})
    visit.open()
    visit.page.evaluate(
        """(style) => {
          const elements = style.startsWith("fontSize") ? [document.documentElement] : document.querySelectorAll("body *");
          for (const element of elements) {
            for (const [name, value] of style.split("; ").map((each) => each.split(": "))) element.style[name] = value;
          }
        }""",
        style,
    )
    visit.expect_no_sideways_scrolling()


@pytest.mark.parametrize(("wish", "moves"), [("no-preference", True), ("reduce", False)])
def test_nothing_moves_when_reduced_motion_is_chosen(
    new_visit: Callable[..., Visit], api: FakeOrderApi, wish: Any, moves: bool
) -> None:
    visit = new_visit(reduced_motion=wish)
    visit.page.add_init_script(
        "addEventListener('animationstart', (event) => { window.moved ||= event.animationName !== 'reveal'; });"
        "addEventListener('transitionstart', () => { window.moved = true; });"
    )
    visit.open()
    visit.page.get_by_role("radio", name="Apple").check()
    visit.place()
    visit.expect_processed()
    assert visit.page.evaluate("window.moved === true") is moves


def test_choice_is_visible_without_colors(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit(forced_colors="active")
    visit.open()
    visit.page.get_by_role("radio", name="Pear").check()
    styles = visit.page.locator(".product").evaluate_all(
        "(cards) => cards.map((card) => getComputedStyle(card).outlineStyle)"
    )
    assert styles.count("solid") == 1
