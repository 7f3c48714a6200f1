"""Whatever a reader, a browser or a network does, one wish is one order."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from browser.fake_order_api import Drop, FakeOrderApi, Hang, problem
from browser.visit import Visit

UNAVAILABLE = problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=1)


def test_a_double_click_orders_once(visit: Visit, api: FakeOrderApi) -> None:
    visit.fill()
    visit.place_button.dblclick()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_a_second_click_after_a_quick_answer_belongs_to_the_first(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    visit.page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    visit.place()
    expect(visit.receipts).to_have_count(1)
    # As if the form had been filled in again in no time, however slow the machine: the click alone must not order.
    visit.fill()
    visit.place_button.click()
    visit.page.clock.resume()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_clicks_while_the_order_is_sent_do_nothing(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.place_button.click(force=True)
    visit.page.get_by_label("Quantity").press("Enter")
    api.release()
    visit.expect_accepted()
    assert len(api.submissions) == 1


def test_a_wish_repeated_on_purpose_is_another_order(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    for count in (1, 2):
        visit.place()
        expect(visit.receipts).to_have_count(count)
        visit.page.clock.run_for(2_000)
    assert len(set(api.keys)) == 2


@pytest.mark.parametrize("failure", [UNAVAILABLE, Drop(), Drop(after_accepting=True)])
def test_a_retry_carries_the_same_key(visit: Visit, api: FakeOrderApi, failure: Drop) -> None:
    api.answer_submissions_with(failure)
    visit.place()
    visit.expect_accepted()
    first, second = api.submissions
    assert first.key == second.key
    assert first.body == second.body
    assert len(api.accepted) == 1
    expect(visit.receipts).to_have_count(1)


def test_a_key_is_long_random_and_visible_ascii(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_accepted()
    [key] = api.keys
    assert key is not None
    assert len(bytes.fromhex(key)) == 16


def test_a_reload_while_the_order_is_sent_finds_the_same_order(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.reload()
    visit.expect_accepted()
    assert len(set(api.keys)) == 1
    expect(visit.receipts).to_have_count(1)
    api.release()


def test_a_reload_does_not_move_the_reader(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.reload()
    visit.expect_accepted()
    assert visit.page.evaluate("document.activeElement === document.body")
    api.release()


def test_nothing_is_sent_again_once_an_order_is_settled(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    visit.page.reload()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_a_second_tab_takes_up_the_unsettled_order_under_the_same_key(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    other = visit.another_tab()
    other.expect_accepted()
    api.release()
    visit.expect_accepted()
    assert len(set(api.keys)) == 1
    assert len(api.accepted) == 1
    expect(visit.receipts).to_have_count(1)
    expect(other.receipts).to_have_count(1)


def test_an_open_second_tab_cannot_order_past_an_unsettled_order(visit: Visit, api: FakeOrderApi) -> None:
    other = visit.another_tab()
    other.fill(product="Pear")
    api.answer_submissions_with(Hang())
    visit.place(product="Banana")
    expect(other.notice).to_contain_text("Your order for 2 × Banana is not confirmed yet")
    other.place_button.click()
    other.expect_accepted("2 × Banana")
    expect(other.page.get_by_role("radio", name="Pear")).to_be_checked()
    assert len(set(api.keys)) == 1
    api.release()


def test_an_unsettled_order_this_tab_has_not_heard_of_yet_goes_first(visit: Visit, api: FakeOrderApi) -> None:
    remember_submission(visit, "2025-04-25T10:00:00.000Z")  # as if by another tab, an instant ago
    visit.place(product="Pear", quantity="9")
    visit.expect_accepted("2 × Banana")
    assert api.keys == ["0123456789abcdef" * 2]
    expect(visit.page.get_by_role("radio", name="Pear")).to_be_checked()


def test_a_second_tab_shows_the_first_ones_order_without_a_reload(visit: Visit, api: FakeOrderApi) -> None:
    other = visit.another_tab()
    visit.place()
    visit.expect_accepted()
    other.expect_accepted()
    expect(other.place_button).to_have_text("Place order")


def test_an_order_given_up_is_forgotten_and_the_next_one_has_its_own_key(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600))
    visit.place()
    visit.start_over_button.click()
    expect(visit.notice).to_be_empty()
    visit.place(quantity="3")
    visit.expect_accepted("3 × Banana")
    assert len(set(api.keys)) == 2
    assert len(api.accepted) == 1


def test_starting_over_warns_where_the_order_may_have_been_placed(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    throttled = problem(429, "TOO_MANY_REQUESTS", "Slow down.")
    # Only one try may have got through, neither the first nor the last.
    api.answer_submissions_with(throttled, Drop(), throttled, throttled, throttled, throttled)
    visit.place()
    for seconds in (1, 2, 4, 8, 16):
        expect(visit.notice).to_contain_text(f"will be sent again in {seconds} second")
        visit.page.clock.run_for(seconds * 1000)
    expect(visit.notice).to_contain_text("If you start over instead, it may have been placed already.")


@pytest.mark.parametrize("was_taken_up", [False, True])
def test_starting_over_does_not_warn_where_every_try_was_turned_away_and_all_were_made_here(
    visit_with_clock: Visit, api: FakeOrderApi, was_taken_up: bool
) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(*[problem(429, "TOO_MANY_REQUESTS", "Slow down.")] * 6)
    if was_taken_up:
        remember_submission(visit, "2025-04-25T10:00:00.000Z")  # as if by another tab, an instant ago
    visit.place()
    for seconds in (1, 2, 4, 8, 16):
        expect(visit.notice).to_contain_text(f"will be sent again in {seconds} second")
        visit.page.clock.run_for(seconds * 1000)
    expect(visit.notice).to_contain_text("is not confirmed yet")
    assert ("it may have been placed already" in visit.notice.inner_text()) == was_taken_up


@pytest.mark.parametrize(("minutes", "is_sent"), [(9, True), (11, False), (-1, False)])
def test_an_unsettled_order_is_sent_by_itself_for_ten_minutes(
    visit: Visit, api: FakeOrderApi, minutes: int, is_sent: bool
) -> None:
    started_at = datetime.now(UTC) - timedelta(minutes=minutes)
    remember_submission(visit, started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    visit.page.reload()
    if is_sent:
        visit.expect_accepted()
    else:  # too old, or by a clock that was wrong
        expect(visit.notice).to_contain_text("is not confirmed yet")
        expect(visit.notice).to_contain_text("it may have been placed already")
    assert len(api.submissions) == is_sent


def test_an_old_unsettled_order_is_not_sent_before_the_reader_is_asked(
    new_visit: Callable[..., Visit], api: FakeOrderApi
) -> None:
    visit = new_visit()
    visit.open()
    remember_submission(visit, "2025-04-25T10:00:00.000Z")
    visit.page.reload()
    expect(visit.notice).to_contain_text("Your order for 2 × Banana is not confirmed yet")
    expect(visit.page.locator(".docket__pick")).to_have_text("2 × Banana")
    assert api.submissions == []
    visit.place_button.click()
    visit.expect_accepted()
    assert api.keys == ["0123456789abcdef" * 2]


def remember_submission(visit: Visit, started_at: str) -> None:
    order = {"customer_id": "001", "product_id": "Banana", "quantity": "2", "order_date": "2025-04-25"}
    submission = {"key": "0123456789abcdef" * 2, "order": order, "started_at": started_at}
    visit.page.evaluate("(text) => localStorage.setItem('fruit-stand:submission', text)", json.dumps(submission))
