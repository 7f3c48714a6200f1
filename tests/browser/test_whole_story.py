"""An order on the local stack, from the form to PROCESSED."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from browser.visit import Visit
from local_stack import LocalStack


@pytest.fixture
def visit(new_visit: Callable[..., Visit], local_stack: LocalStack) -> Visit:
    visit = new_visit(local_stack.storefront_url, local_stack.api_url)
    visit.open()
    return visit


def stored_orders(local_stack: LocalStack, customer_id: str) -> list[dict[str, Any]]:
    answer = local_stack.client("dynamodb").scan(
        TableName=local_stack.outputs["orders_table_name"],
        FilterExpression="customer_id = :customer_id",
        ExpressionAttributeValues={":customer_id": {"S": customer_id}},
        ConsistentRead=True,
    )
    return list(answer["Items"])


def test_order_is_processed_on_the_local_stack(visit: Visit, local_stack: LocalStack) -> None:
    visit.place(product="Banana", quantity="2", customer_id="whole-story", order_date="2025-04-25")
    expect(visit.receipts.first).to_contain_text("Accepted")
    visit.expect_processed("2 × Banana", timeout_seconds=30)
    visit.expect_accessible()

    [item] = stored_orders(local_stack, "whole-story")
    assert item["product_id"] == {"S": "Banana"}
    assert item["quantity"] == {"N": "2"}
    assert item["order_date"] == {"S": "2025-04-25"}
    expect(visit.receipts.first).to_contain_text(item["order_id"]["S"])

    visit.page.reload()
    visit.expect_processed("2 × Banana")


def test_order_whose_response_was_lost_is_stored_once(visit: Visit, local_stack: LocalStack) -> None:
    keys: list[str | None] = []

    def lose_the_first_response(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.header_value("idempotency-key"))
        if len(keys) > 1:
            route.continue_()
            return
        assert route.fetch().status == 202
        route.abort("connectionreset")

    visit.page.route("**/orders", lose_the_first_response)
    visit.place(customer_id="lost-answer")
    expect(visit.notice).to_contain_text("The shop cannot be reached.")
    visit.expect_processed(timeout_seconds=30)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert len(stored_orders(local_stack, "lost-answer")) == 1
