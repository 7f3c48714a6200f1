"""The plain check of an order says what jsonschema says of order.schema.json."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.validation import compile_schema
from sample_orders import ORDER_SCHEMA, order_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
# What a value looks like that is nearly right: the right characters, too long, too short, with one wrong.
NEARLY = (
    st.text("aZ09._- \n\té٠１", max_size=6)
    | st.sampled_from(["c" * 64, "c" * 65, "p" * 128, "p" * 129, "p" * 127 + " "])
    | st.integers(-2, 10_001)
    | st.integers(-2, 10_001).map(str)
    | st.integers(-2, 10_001).map(float)
    | st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]\n?", fullmatch=True)
    | st.from_regex(r"[0-9]{4}-?(W[0-9]{2}-?[1-7]|[0-3][0-9]{2})", fullmatch=True)
)
FIELD = st.sampled_from(sorted(ORDER_SCHEMA["properties"]))
VALUE = NEARLY | JSON


@given(st.dictionaries(FIELD | st.just("more"), VALUE, max_size=2), st.sets(FIELD, max_size=1))
def test_an_order_with_changes_is_an_order_exactly_where_jsonschema_finds_no_violation(
    changes: dict[str, Any], missing: set[str]
) -> None:
    document = {name: value for name, value in order_document(**changes).items() if name not in missing}

    assert ORDER_RULES.is_order(document) == (ORDER_RULES._violations(document) == ([], 0))


@given(st.fixed_dictionaries({name: from_schema(schema) for name, schema in ORDER_SCHEMA["properties"].items()}))
def test_whatever_the_schema_describes_is_judged_as_jsonschema_does(document: dict[str, Any]) -> None:
    # Orders, mostly: the generator counts 1.0 as an integer.
    assert ORDER_RULES.is_order(document) == (ORDER_RULES._violations(document) == ([], 0))


@given(JSON)
def test_any_other_document_is_no_order_for_either(document: Any) -> None:
    assert not ORDER_RULES.is_order(document)
    assert ORDER_RULES._violations(document)[1] > 0


@given(FIELD, VALUE)
def test_the_rule_of_each_field_is_the_one_it_has_within_an_order(field: str, value: Any) -> None:
    assert ORDER_RULES.fields[field](value) == (ORDER_RULES._violations(order_document(**{field: value})) == ([], 0))


@pytest.mark.parametrize(
    ("schema", "kept", "broken"),
    [
        ({"type": "object"}, {}, []),
        ({"properties": {"a": {"type": "string"}}}, {"a": "", "b": 1}, {"a": 1}),
        ({"required": ["a"]}, {"a": 1}, {"b": 1}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1, 1.0),
        ({"minLength": 2}, "ab", "a"),
        ({"maxLength": 2}, "ab", "abc"),
        ({"pattern": "^a"}, "ab", "ba"),
        ({"minimum": 2}, 2, 1),
        ({"maximum": 2}, 2, 3),
        ({"format": "date"}, "2025-04-25", "2025-02-30"),
    ],
    ids=str,
)
def test_a_rule_says_by_itself_what_it_says_and_nothing_of_other_types(
    schema: dict[str, Any], kept: object, broken: object
) -> None:
    keeps = compile_schema(schema)

    assert (keeps(kept), keeps(broken)) == (True, False)
    if not schema.keys() & {"type", "anyOf"}:
        assert all(keeps(other) for other in (None, True, 0.5, [], {} if kept == 2 or isinstance(kept, str) else ""))


@pytest.mark.parametrize("text", ["20250425", "2025-W17-5", "2025-04-25\n", "２０２５-04-25", "2025-02-30"])
def test_a_date_is_one_by_rfc_3339_without_help_from_a_pattern(text: str) -> None:
    is_date = compile_schema({"format": "date"})

    assert is_date("2025-04-25")
    assert not is_date(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"multipleOf": 2},
        {"type": "number"},
        {"type": ["string", "null"]},
        {"format": "email"},
        {"properties": {}, "additionalProperties": True},
        {"anyOf": [{"const": 1}]},
        {"properties": {"a": {"enum": [1]}}},
    ],
    ids=str,
)
def test_a_schema_that_says_more_than_the_check_knows_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        compile_schema(schema)
