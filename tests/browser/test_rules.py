"""The page and order.schema.json accept and reject the same values."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from orders.adapters.order_schema import ORDER_RULES
from unit.hostile_strategies import EDGES, TEXT

# Without floats: JavaScript cannot distinguish 1.0 from 1, and the page sends strings only.
VALUES = [value for values in EDGES.values() for value in values if not isinstance(value, float)]
VALUES += [f"{letter * length}" for letter in "c1" for length in (63, 64, 65, 127, 128, 129)]


def require_agreement(page: Page, cases: list[tuple[str, Any]]) -> None:
    """Compare the page's rules, run in the browser, with the schema's."""
    accepted = page.evaluate(
        """async (cases) => {
          const { FIELDS } = await import("/rules.js");
          return cases.map(([field, literal]) => FIELDS[field].isValid(JSON.parse(literal)));
        }""",
        [[field, json.dumps(value)] for field, value in cases],
    )
    for (field, value), is_accepted in zip(cases, accepted, strict=True):
        assert is_accepted == ORDER_RULES.fields[field](value), (field, value)


def test_page_and_schema_agree_on_edge_cases(stopped_page: Page) -> None:
    require_agreement(stopped_page, [(field, value) for field in EDGES for value in VALUES])


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(list(EDGES)), TEXT | st.dates().map(str)), min_size=60, max_size=60))
def test_page_and_schema_agree_on_any_text(stopped_page: Page, cases: list[tuple[str, Any]]) -> None:
    require_agreement(stopped_page, cases)
