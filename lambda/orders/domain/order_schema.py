"""order.schema.json, the one statement of what an order is, and a plain check made from it.

jsonschema would cost every cold start more than the rest of this package together, and every order more
than all else that is done for it. So the few keywords that the schema uses are compiled here, once, into
functions; the library is asked only to say what is wrong with a document that is no order, in
`orders.domain.order_violations`. A keyword that is not known here stops the import: the schema cannot
say anything that this check does not.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from importlib import resources
from typing import Any

Rule = Callable[[Any], bool]
"""Tells whether a part of a JSON document keeps a rule; as in JSON Schema, one about other types is kept."""

ORDER_SCHEMA: Mapping[str, Any] = json.loads(resources.files("orders").joinpath("order.schema.json").read_bytes())


def is_integer(instance: object) -> bool:
    """Tell whether `instance` is a whole number as written; JSON Schema would count 1.0 and 1e3 too."""
    return isinstance(instance, int) and not isinstance(instance, bool)


_TYPES: Mapping[str, Rule] = {
    "object": lambda instance: isinstance(instance, dict),
    "string": lambda instance: isinstance(instance, str),
    "integer": is_integer,
}

_ANNOTATIONS = frozenset({"$schema", "title", "description"})


def compile_schema(schema: Mapping[str, Any]) -> Rule:
    """Return the rule that a JSON Schema states; raises ValueError where it uses what is not known here."""
    unknown = schema.keys() - _ANNOTATIONS - _KEYWORDS.keys()
    if unknown:
        raise ValueError(f"order.schema.json uses {', '.join(sorted(unknown))}: teach it to order_schema.py")
    rules = [_KEYWORDS[keyword](value, schema) for keyword, value in schema.items() if keyword in _KEYWORDS]
    return lambda instance: all(rule(instance) for rule in rules)


def _type(name: str, _: Mapping[str, Any]) -> Rule:
    if name not in _TYPES:
        raise ValueError(f'order.schema.json uses "type": "{name}": teach it to order_schema.py')
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
        raise ValueError('order.schema.json allows "additionalProperties": teach it to order_schema.py')
    known = schema["properties"].keys()
    return lambda instance: not isinstance(instance, dict) or instance.keys() <= known


def _any_of(schemas: list[Mapping[str, Any]], _: Mapping[str, Any]) -> Rule:
    rules = [compile_schema(schema) for schema in schemas]
    return lambda instance: any(rule(instance) for rule in rules)


def _min_length(least: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not isinstance(instance, str) or len(instance) >= least


def _max_length(most: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not isinstance(instance, str) or len(instance) <= most


def _pattern(pattern: str, _: Mapping[str, Any]) -> Rule:
    search = re.compile(pattern).search
    return lambda instance: not isinstance(instance, str) or search(instance) is not None


def _minimum(least: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not is_integer(instance) or instance >= least


def _maximum(most: int, _: Mapping[str, Any]) -> Rule:
    return lambda instance: not is_integer(instance) or instance <= most


def _format(name: str, _: Mapping[str, Any]) -> Rule:
    if name != "date":
        raise ValueError(f'order.schema.json uses "format": "{name}": teach it to order_schema.py')
    return lambda instance: not isinstance(instance, str) or _is_date(instance)


def _is_date(text: str) -> bool:
    # RFC 3339, section 5.6. fromisoformat alone would take 20250425 and 2025-W17-5 too.
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

is_order: Rule = compile_schema(ORDER_SCHEMA)
"""Tells whether a parsed JSON document is an order by order.schema.json."""

FIELD_RULES: Mapping[str, Rule] = {name: compile_schema(schema) for name, schema in ORDER_SCHEMA["properties"].items()}
"""The rule of each field of an order, for whoever must say which one is broken."""
