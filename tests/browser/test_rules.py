"""The page and order.schema.json accept and reject the same values."""

import json

from playwright.sync_api import Page

from orders.adapters.order_schema import ORDER_RULES
from unit.hostile_strategies import EDGES

# Without floats: JavaScript cannot distinguish 1.0 from 1, and the page sends strings only.
VALUES = [value for values in EDGES.values() for value in values if not isinstance(value, float)]
VALUES += [letter * length for letter in "c1" for length in (63, 64, 65, 127, 128, 129)]
VALUES += [text for code in range(0x3000) for text in (f"a{chr(code)}a", f"{chr(code)}a", f"1{chr(code)}")]
VALUES += [f"{year}-{month:02}-{day:02}" for year in (1900, 2024) for month in range(14) for day in range(33)]


def test_page_and_schema_accept_the_same_values(stopped_page: Page) -> None:
    accepted = stopped_page.evaluate(
        """async ([fields, values]) => {
          const { FIELDS } = await import("/rules.js");
          return fields.map((field) => values.map((literal) => FIELDS[field].isValid(JSON.parse(literal))));
        }""",
        [list(EDGES), [json.dumps(value) for value in VALUES]],
    )
    for field, results in zip(EDGES, accepted, strict=True):
        accepts = ORDER_RULES.fields[field]
        assert [value for value, result in zip(VALUES, results, strict=True) if result != accepts(value)] == [], field
