"""Orders that are refused, by the page or by the API: in words, at the field, and in a summary that takes the focus."""

from collections.abc import Callable

from playwright.sync_api import expect

from browser.fake_order_api import FakeOrderApi, problem
from browser.visit import Visit


def test_an_empty_order_is_refused_before_it_is_sent(visit: Visit, api: FakeOrderApi) -> None:
    visit.page.get_by_label("Quantity").fill("")
    visit.page.get_by_label("Order date").fill("")
    visit.place_button.click()
    expect(visit.summary).to_be_focused()
    expect(visit.summary.get_by_role("link")).to_have_text(
        [
            "Choose one of the fruits",
            "Enter how many you would like",
            "Enter your customer ID",
            "Enter the date of the order",
        ]
    )
    expect(visit.page).to_have_title("Error: The Fruit Stand")
    assert api.submissions == []


def test_a_wrong_value_is_explained_at_its_field_and_in_the_summary(visit: Visit, api: FakeOrderApi) -> None:
    for field, label, value, said in (
        ("quantity", "Quantity", "0", "Quantity must be a whole number from 1 to 9999"),
        ("quantity", "Quantity", "10000", "Quantity must be a whole number from 1 to 9999"),
        ("quantity", "Quantity", "1.5", "Quantity must be a whole number from 1 to 9999"),
        ("quantity", "Quantity", "１", "Quantity must be a whole number from 1 to 9999"),
        ("customer_id", "Customer ID", "no spaces", "Customer ID must be 1 to 64 letters"),
        ("customer_id", "Customer ID", "-001", "Customer ID must be 1 to 64 letters"),
        ("customer_id", "Customer ID", "c" * 65, "Customer ID must be 1 to 64 letters"),
    ):
        visit.fill()
        visit.page.get_by_label(label).fill(value)
        visit.place_button.click()
        expect(visit.error_of(field), value).to_contain_text(said)
        expect(visit.summary.get_by_role("link"), value).to_have_count(1)
        expect(visit.summary, value).to_contain_text(said)
    assert api.submissions == []


def test_an_error_is_tied_to_its_field(visit: Visit) -> None:
    visit.place_button.click()
    customer_id = visit.page.get_by_label("Customer ID")
    expect(customer_id).to_have_accessible_description("For example 001 Enter your customer ID")
    expect(customer_id).to_have_attribute("aria-invalid", "true")
    shelf = visit.page.get_by_role("radiogroup", name="Pick a fruit")
    expect(shelf).to_have_accessible_description("Choose one of the fruits")
    expect(shelf).to_have_attribute("aria-invalid", "true")
    expect(visit.page.get_by_label("Quantity")).not_to_have_attribute("aria-invalid", "true")


def test_a_link_of_the_summary_leads_to_its_field(visit: Visit) -> None:
    visit.place_button.click()
    visit.summary.get_by_role("link", name="Enter your customer ID").click()
    expect(visit.page.get_by_label("Customer ID")).to_be_focused()
    visit.summary.get_by_role("link", name="Choose one of the fruits").click()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_focused()


def test_errors_go_away_once_they_are_put_right(visit: Visit, api: FakeOrderApi) -> None:
    visit.place_button.click()
    expect(visit.summary).to_be_visible()
    visit.place()
    visit.expect_accepted()
    expect(visit.summary).to_be_hidden()
    expect(visit.error_of("customer_id")).to_be_hidden()
    expect(visit.page).to_have_title("The Fruit Stand")


def test_the_apis_violations_are_shown_at_the_fields_they_point_to(visit: Visit, api: FakeOrderApi) -> None:
    errors = [
        {"pointer": "/customer_id", "detail": "must be known here"},
        {"pointer": "/quantity", "detail": "must be at most what is in stock"},
        {"pointer": "/coupon", "detail": "is required"},
    ]
    api.answer_submissions_with(problem(422, "VALIDATION_FAILED", "The order breaks rules.", errors=errors))
    visit.place()
    expect(visit.summary).to_be_focused()
    expect(visit.summary.get_by_role("listitem")).to_have_text(
        ["Customer ID must be known here", "Quantity must be at most what is in stock", "/coupon is required"]
    )
    expect(visit.error_of("customer_id")).to_have_text("Customer ID must be known here")
    expect(visit.error_of("quantity")).to_have_text("Quantity must be at most what is in stock")
    expect(visit.page.get_by_label("Quantity")).to_have_value("2")


def test_a_refusal_without_a_field_is_said_in_the_summary_and_not_sent_again(visit: Visit, api: FakeOrderApi) -> None:
    refusals = [
        (400, "BODY_MISSING"),
        (400, "INVALID_JSON"),
        (400, "INVALID_ENCODING"),
        (400, "DUPLICATE_KEY"),
        (400, "NESTING_TOO_DEEP"),
        (400, "IDEMPOTENCY_KEY_INVALID"),
        (413, "PAYLOAD_TOO_LARGE"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (422, "VALIDATION_FAILED"),
    ]
    visit.fill()
    for status, code in refusals:
        api.answer_submissions_with(problem(status, code, f"Refused with {code}.", request_id=f"request-{code}"))
        visit.place_button.click()
        expect(visit.summary.get_by_role("listitem")).to_have_text(f"Refused with {code}. (Reference: request-{code})")
        expect(visit.summary, code).to_be_focused()
        expect(visit.place_button, code).to_have_text("Place order")
    visit.page.reload()
    expect(visit.notice).to_be_empty()
    assert len(api.submissions) == len(refusals)


def test_after_a_refusal_the_corrected_order_has_its_own_key(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(422, "VALIDATION_FAILED", "The order breaks rules."))
    visit.place()
    expect(visit.summary).to_be_visible()
    visit.place(quantity="3")
    visit.expect_accepted("3 × Banana")
    assert len(set(api.keys)) == 2


def test_a_path_in_the_apis_address_is_kept(new_visit: Callable[..., Visit], api: FakeOrderApi) -> None:
    visit = new_visit(api_url=f"{api.url}/_aws/execute-api/abc/$default")
    visit.open()
    visit.place()
    expect(visit.notice).not_to_be_empty()
    assert f"{api.url}/_aws/execute-api/abc/$default/orders" in visit.requests
