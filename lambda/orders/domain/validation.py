"""The rules of an order, compiled from order.schema.json.

Importing jsonschema takes longer than the rest of this package's cold start. So the few keywords that the schema uses
are compiled into functions, and jsonschema is loaded only to report the errors of an invalid document.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from heapq import nsmallest
from typing import Any

from orders.domain.errors import OrderInvalidError, Violation
from orders.domain.order import Order

MAX_VIOLATIONS = 20  # A body of 16 KiB can have over 2,000.

Rule = Callable[[Any], bool]
"""Returns whether a value satisfies a rule. As in JSON Schema, a rule for one type accepts values of other types."""


class OrderRules:
    """The rules of an order, compiled from a JSON Schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.is_order = compile_schema(schema)
        self.fields = {name: compile_schema(rules) for name, rules in schema["properties"].items()}
        self._schema = schema

    def validate(self, document: Any) -> Order:
        """Return the order in a parsed JSON document, with its quantity as an integer.

        Raises OrderInvalidError. Its violations use the schema's descriptions and repeat only keys of the document.
        """
        if not self.is_order(document):
            raise OrderInvalidError(*self._violations(document))
        return Order(**{**document, "quantity": int(document["quantity"])})

    @cached_property
    def _validator(self) -> Any:
        # Imported here because a cold start with a valid order must not wait for jsonschema.
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.validators import extend

        types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, instance: is_integer(instance))
        strict = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
        # Without a format checker, jsonschema ignores formats.
        return strict(self._schema, format_checker=FormatChecker(formats=("date",)))

    def _violations(self, document: Any) -> tuple[list[Violation], int]:
        """Return at most MAX_VIOLATIONS violations, sorted by pointer, and the total number.

        Unknown fields are omitted first.
        """
        fields = self._schema["properties"]
        found: dict[str, Violation] = {}
        unknown: list[str] = []
        for error in self._validator.iter_errors(document):
            if error.validator == "required":
                missing = [name for name in self._schema["required"] if name not in document]
                found |= {name: Violation(_pointer(name), "is required") for name in missing}
            elif error.validator == "additionalProperties":
                unknown = [name for name in document if name not in fields]
            elif error.absolute_path:
                name = str(error.absolute_path[0])
                found[name] = Violation(_pointer(name), f"must be {fields[name]['description']}")
            else:
                found[""] = Violation("", "must be a JSON object")
        reported = [
            Violation(_pointer(name), "is not a field of an order")
            for name in nsmallest(MAX_VIOLATIONS - len(found), unknown, key=_pointer)
        ]
        return sorted([*found.values(), *reported], key=lambda each: each.pointer), len(found) + len(unknown)


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def is_integer(instance: object) -> bool:
    """Return whether `instance` is an int; JSON Schema would also accept 1.0 and 1e3."""
    return isinstance(instance, int) and not isinstance(instance, bool)


_TYPES: Mapping[str, Rule] = {
    "object": lambda instance: isinstance(instance, dict),
    "string": lambda instance: isinstance(instance, str),
    "integer": is_integer,
}

_ANNOTATIONS = frozenset({"$schema", "title", "description"})


def compile_schema(schema: Mapping[str, Any]) -> Rule:
    """Compile a JSON Schema to a rule; raises ValueError for a keyword that is not supported here."""
    unknown = schema.keys() - _ANNOTATIONS - _KEYWORDS.keys()
    if unknown:
        raise ValueError(f"order.schema.json uses {', '.join(sorted(unknown))}: add it to validation.py")
    rules = [_KEYWORDS[keyword](value, schema) for keyword, value in schema.items() if keyword in _KEYWORDS]
    return lambda instance: all(rule(instance) for rule in rules)


def _type(name: str, _: Mapping[str, Any]) -> Rule:
    if name not in _TYPES:
        raise ValueError(f'order.schema.json uses "type": "{name}": add it to validation.py')
    return _TYPES[name]


def _properties(schemas: Mapping[str, Any], _: Mapping[str, Any]) -> Rule:
    rules = {name: compile_schema(schema) for name, schema in schemas.items()}
    return lambda instance: (
        not isinstance(instance, dict) or all(rules[name](value) for name, value in instance.items() if name in rules)
    )


def _required(names: list[str], _: Mapping[str, Any]) -> Rule:
    return lambda instance: not isinstance(instance, dict) or instance.keys() >= set(names)


def _additional_properties(allowed: object, schema: Mapping[str, Any]) -> Rule:
    if allowed is not False:
        raise ValueError('order.schema.json allows "additionalProperties": add it to validation.py')
    known = schema["properties"].keys()
    return lambda instance: not isinstance(instance, dict) or instance.keys() <= known


def _any_of(schemas: list[Mapping[str, Any]], _: Mapping[str, Any]) -> Rule:
    rules = [compile_schema(schema) for schema in schemas]
    return lambda instance: any(rule(instance) for rule in rules)


def _min_length(minimum: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not isinstance(instance, str) or len(instance) >= minimum


def _max_length(maximum: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not isinstance(instance, str) or len(instance) <= maximum


def _pattern(pattern: str, _: Mapping[str, Any]) -> Rule:
    search = re.compile(pattern).search
    return lambda instance: not isinstance(instance, str) or search(instance) is not None


def _minimum(minimum: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not is_integer(instance) or instance >= minimum


def _maximum(maximum: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not is_integer(instance) or instance <= maximum


def _format(name: str, _: Mapping[str, Any]) -> Rule:
    if name != "date":
        raise ValueError(f'order.schema.json uses "format": "{name}": add it to validation.py')
    return lambda instance: not isinstance(instance, str) or _is_date(instance)


def _is_date(text: str) -> bool:
    # RFC 3339, section 5.6. fromisoformat alone would accept 20250425 and 2025-W17-5 too.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_KEYWORDS: Mapping[str, Callable[[Any, Mapping[str, Any]], Rule]] = {
    "type": _type,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional_properties,
    "anyOf": _any_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "format": _format,
}
