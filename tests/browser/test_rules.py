"""The page and order.schema.json refuse and admit the same values."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser.visit import Visit
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import OrderInvalidError
from orders.domain.json_document import read_json_document
from support.sample_orders import order_document

PageRules = Callable[[list[tuple[str, str]]], list[bool]]

# Value literals are JSON; what is telling for one field is tried on all. Not 1.0, which JavaScript cannot tell from 1:
# the page only ever sends texts.
LITERALS = [
    *("null", "true", "false", "[]", "{}", '["001"]', '""', '" "', '"\\n"'),
    *("0", "1", "-1", "9999", "10000", "1.5", "1e400", "0.1e1000", "-0", "123456789012345678901234567890"),
    *('"0"', '"1"', '"01"', '"9999"', '"10000"', '"+1"', '"-1"', '"1.0"', '"1e3"', '" 1 "', '"1\\n"', '"１"', '"٣"'),
    *('"001"', '"001\\n"', '"\\n001"', '".a"', '"a."', '"_a"', '"-a"', '"a b"', '" a"', '"a "', '"a,b"', '"é"'),
    *('"Banana"', '"banana split 2.0_x-y"', '"a\\u0000b"', '"a\\u00a0b"', '"\\u2028"', '"<b>"', '"\\ud83c\\udf4c"'),
    *(f'"{"c" * length}"' for length in (63, 64, 65, 127, 128, 129)),
    *(f'"a{" " * 126}b"', f'"a{" " * 127}b"'),
    *('"2025-04-25"', '"2025-4-5"', '"20250425"', '"2025-W17-5"', '"2025-04-25\\n"', '"2025-04-25T00:00:00Z"'),
    *('"2024-02-29"', '"2025-02-29"', '"1900-02-29"', '"2000-02-29"', '"2026-02-30"', '"2025-04-31"', '"2025-13-01"'),
    *('"2025-00-10"', '"2025-01-00"', '"0000-01-01"', '"0001-01-01"', '"0099-12-31"', '"9999-12-31"', '"10000-01-01"'),
]

FIELDS = ["customer_id", "product_id", "quantity", "order_date"]


@pytest.fixture(scope="module")
def page_rules(in_page: Callable[..., Any]) -> PageRules:
    """The page's own rules, run in the browser: for each (field, JSON literal) whether it is admitted."""

    def admits(cases: list[tuple[str, str]]) -> list[bool]:
        answers: list[bool] = in_page(
            """async (cases) => {
              const { FIELDS } = await import("/rules.js");
              return cases.map(([field, literal]) => FIELDS[field].isValid(JSON.parse(literal)));
            }""",
            [list(case) for case in cases],
        )
        return answers

    return admits


def schema_admits(field: str, literal: str) -> bool:
    try:
        ORDER_RULES.validate(order_document(**{field: read_json_document(literal.encode())}))
    except OrderInvalidError:
        return False
    return True


@pytest.mark.parametrize("field", FIELDS)
def test_page_and_schema_agree_on_every_telling_value(page_rules: PageRules, field: str) -> None:
    page = dict(zip(LITERALS, page_rules([(field, literal) for literal in LITERALS]), strict=True))
    schema = {literal: schema_admits(field, literal) for literal in LITERALS}
    assert page == schema
    assert any(schema.values())


telling_text = st.text(st.sampled_from("aZ09._- \n\t\u00e9\u0661\uff11<"), max_size=8)
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=140)
near_dates = st.dates(datetime.date(1, 1, 1)).map(str) | st.builds(
    "{:04d}-{:02d}-{:02d}".format, st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)
)
values = st.one_of(
    telling_text,
    any_text,
    st.from_regex(r"[A-Za-z0-9._\-][A-Za-z0-9._ \-]{0,130}", fullmatch=True),
    st.integers(-2, 10_001) | st.integers(),
    st.integers(-2, 10_001).map(str),
    near_dates,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=st.lists(st.tuples(st.sampled_from(FIELDS), values), min_size=20, max_size=60))
def test_page_and_schema_agree_on_any_value(page_rules: PageRules, batch: list[tuple[str, Any]]) -> None:
    cases = [(field, json.dumps(value)) for field, value in batch]
    assert page_rules(cases) == [schema_admits(field, literal) for field, literal in cases]


def test_every_product_on_the_shelf_is_one_the_schema_admits(visit: Visit) -> None:
    products = visit.page.get_by_role("radio").evaluate_all("(inputs) => inputs.map((input) => input.value)")
    assert {"Apple", "Banana", "Grapes", "Orange"} <= set(products)
    assert all(schema_admits("product_id", json.dumps(product)) for product in products)
