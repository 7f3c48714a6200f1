"""The compiled rules of an order agree with the contract and with jsonschema."""

import calendar
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator, FormatChecker

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import OrderInvalidError, Violation
from orders.domain.json_document import read_json_document
from orders.domain.order import Order
from orders.domain.validation import compile_schema
from support.sample_orders import ORDER_SCHEMA, SAMPLE_BODY, SAMPLE_ORDER, order_document
from unit.hostile_strategies import EDGES, JSON_VALUES, near_orders


def violations_of(document: Any) -> list[Violation]:
    with pytest.raises(OrderInvalidError) as error:
        ORDER_RULES.validate(document)
    return list(error.value.violations)


def test_sample_order_is_valid() -> None:
    assert ORDER_RULES.validate(read_json_document(SAMPLE_BODY)) == SAMPLE_ORDER


@pytest.mark.parametrize("document", [None, True, 1, 1.5, "order", [], [order_document()]])
def test_document_is_invalid_at_its_root_when_it_is_not_an_object(document: Any) -> None:
    assert violations_of(document) == [Violation("", "must be a JSON object")]


def test_violations_are_sorted_by_pointer_and_worded_by_the_schema() -> None:
    assert violations_of({"quantity": "<secret>", "product_id": "Banana", "a/b~c": 1, "Z": 2}) == [
        Violation("/Z", "is not a field of an order"),
        Violation("/a~1b~0c", "is not a field of an order"),
        Violation("/customer_id", "is required"),
        Violation("/order_date", "is required"),
        Violation("/quantity", f"must be {ORDER_SCHEMA['properties']['quantity']['description']}"),
    ]


def test_order_fields_are_always_among_the_20_reported_violations() -> None:
    unknown = [f"{n:04}" for n in range(2000)]

    with pytest.raises(OrderInvalidError) as error:
        ORDER_RULES.validate(dict.fromkeys(reversed(unknown)) | {"quantity": 0})

    own_fields = ["/customer_id", "/order_date", "/product_id", "/quantity"]
    assert [each.pointer for each in error.value.violations] == [*(f"/{name}" for name in unknown[:16]), *own_fields]
    assert (error.value.total, str(error.value)) == (2004, "2004 violations")


ALPHANUMERIC = set(string.ascii_letters + string.digits)


def has_only(value: Any, at_most: int, extra: str) -> bool:
    return type(value) is str and 1 <= len(value) <= at_most and set(value) <= ALPHANUMERIC | set(extra)


def is_quantity(value: Any) -> bool:
    return (type(value) is int and 1 <= value <= 9999) or (type(value) is str and value in map(str, range(1, 10_000)))


def is_order_date(value: Any) -> bool:
    if type(value) is not str or len(value) != 10 or value[4] != "-" or value[7] != "-":
        return False
    digits = value[:4] + value[5:7] + value[8:]
    if not set(digits) <= set(string.digits):
        return False
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:])
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


RULES = {
    "customer_id": lambda value: has_only(value, 64, "._-") and value[0] in ALPHANUMERIC,
    "product_id": lambda value: has_only(value, 128, "._- ") and value[0] != " " != value[-1],
    "quantity": is_quantity,
    "order_date": is_order_date,
}


def require_agreement_on(document: Any) -> None:
    """Compare the compiled rules with the contract's, written out above, and with jsonschema."""
    expected = [""]
    if type(document) is dict:
        fields = {name for name, is_valid in RULES.items() if name not in document or not is_valid(document[name])}
        fields |= document.keys() - RULES.keys()
        expected = sorted("/" + name.replace("~", "~0").replace("/", "~1") for name in fields)
    try:
        order = ORDER_RULES.validate(document)
    except OrderInvalidError as error:
        pointers = [violation.pointer for violation in error.violations]
        details = {f"must be {field['description']}" for field in ORDER_SCHEMA["properties"].values()}
        details |= {"must be a JSON object", "is required", "is not a field of an order"}
        assert {violation.detail for violation in error.violations} <= details
    else:
        pointers = []
        assert order == Order(**{**document, "quantity": int(document["quantity"])})
    assert pointers == expected
    # jsonschema alone counts 1.0 as an integer.
    is_float = isinstance(document, dict) and isinstance(document.get("quantity"), float)
    by_schema = Draft202012Validator(ORDER_SCHEMA, format_checker=FormatChecker()).is_valid(document)
    assert (by_schema and not is_float) == (not pointers)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in EDGES.items() for value in values])
def test_contract_schema_and_rules_agree_at_the_limits(field: str, value: Any) -> None:
    document = order_document(**{field: value})

    require_agreement_on(document)
    assert ORDER_RULES.fields[field](value) == RULES[field](value)


@settings(max_examples=500)
@given(near_orders() | JSON_VALUES)
def test_contract_schema_and_rules_agree_on_any_document(document: Any) -> None:
    require_agreement_on(document)


# Fields are generated separately: hypothesis-jsonschema 0.23 cannot generate objects with current Hypothesis.
@given(st.fixed_dictionaries({name: from_schema(field) for name, field in ORDER_SCHEMA["properties"].items()}))
def test_contract_schema_and_rules_agree_on_generated_documents(document: Any) -> None:
    require_agreement_on(document)


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
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
        *(
            ({"format": "date"}, "2025-04-25", text)
            for text in ("20250425", "2025-W17-5", "2025-04-25\n", "２０２５-04-25")
        ),
    ],
    ids=str,
)
def test_schema_keyword_applies_to_its_own_type_only(schema: dict[str, Any], valid: object, invalid: object) -> None:
    accepts = compile_schema(schema)

    assert (accepts(valid), accepts(invalid)) == (True, False)
    if not schema.keys() & {"type", "anyOf"}:
        assert all(accepts(each) for each in (None, True, 0.5, [], {} if valid == 2 or isinstance(valid, str) else ""))


@pytest.mark.parametrize(
    "schema",
    [
        *({"multipleOf": 2}, {"type": "number"}, {"type": ["string", "null"]}, {"format": "email"}),
        *({"properties": {}, "additionalProperties": True}, {"anyOf": [{"const": 1}]}),
        {"properties": {"a": {"enum": [1]}}},
    ],
    ids=str,
)
def test_unsupported_keyword_is_rejected(schema: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        compile_schema(schema)
