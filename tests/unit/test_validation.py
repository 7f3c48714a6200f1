"""The compiled rules of an order agree with the contract and with jsonschema."""

import calendar
import string
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import OrderInvalidError, Violation
from orders.domain.order import Order
from orders.domain.validation import compile_schema
from support.sample_orders import ORDER_SCHEMA, order_document
from unit.hostile_strategies import INVALID, JSON_VALUES, VALID, near_orders


def violations_of(document: Any) -> list[Violation]:
    with pytest.raises(OrderInvalidError) as error:
        ORDER_RULES.validate(document)
    return list(error.value.violations)


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


@pytest.mark.parametrize(("field", "more"), [("customer_id", "._-"), ("product_id", "._- ")])
def test_id_has_only_ascii_letters_digits_and_few_more_characters(field: str, more: str) -> None:
    accepts, characters = ORDER_RULES.fields[field], list(map(chr, range(0x20000)))

    alphanumeric = {*string.ascii_letters, *string.digits}
    first = {*"._-"} if field == "product_id" else set()

    assert {each for each in characters if accepts(f"a{each}a")} == alphanumeric | {*more}
    assert {each for each in characters if accepts(f"{each}a")} == alphanumeric | first
    assert {each for each in characters if accepts(f"a{each}")} == alphanumeric | {*"._-"}


def test_quantity_is_a_number_from_1_to_9999_or_its_digits() -> None:
    accepts, numbers = ORDER_RULES.fields["quantity"], range(-1, 10_011)

    assert [number for number in numbers if accepts(number)] == list(range(1, 10_000))
    assert [number for number in numbers if accepts(str(number))] == list(range(1, 10_000))


def test_order_date_is_any_date_of_the_calendar() -> None:
    accepts = ORDER_RULES.fields["order_date"]

    for year in (0, 1, 1900, 2000, 2023, 2024, 9999):
        dates = [(month, day) for month in range(14) for day in range(33)]
        valid = [(month, day) for month, day in dates if accepts(f"{year:04}-{month:02}-{day:02}")]
        lengths = [calendar.monthrange(year, month)[1] for month in range(1, 13)] if year else []
        assert valid == [(month, day) for month, days in enumerate(lengths, 1) for day in range(1, days + 1)]


@pytest.mark.parametrize(
    ("field", "value", "is_valid"),
    [
        *((field, value, True) for field, values in VALID.items() for value in values),
        *((field, value, False) for field, values in INVALID.items() for value in values),
    ],
)
def test_value_near_a_limit_is_valid_or_invalid(field: str, value: Any, is_valid: bool) -> None:
    assert ORDER_RULES.fields[field](value) is is_valid
    require_agreement_on(order_document(**{field: value}))


def require_agreement_on(document: Any) -> None:
    """Compare the compiled rules with the reported violations and with jsonschema."""
    expected = [""]
    if type(document) is dict:
        rules = ORDER_RULES.fields
        fields = {name for name, accepts in rules.items() if name not in document or not accepts(document[name])}
        fields |= document.keys() - rules.keys()
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


@settings(max_examples=500)
@given(near_orders() | JSON_VALUES)
def test_schema_and_rules_agree_on_any_document(document: Any) -> None:
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
