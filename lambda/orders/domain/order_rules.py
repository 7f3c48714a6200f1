"""Whether a JSON document is an order, by order.schema.json and nothing else."""

import json
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from orders.domain.errors import OrderInvalidError, Violation
from orders.domain.order import Order


def _is_integer(_: TypeChecker, instance: object) -> bool:
    # JSON Schema counts 1.0 and 1e3 as integers; a quantity is a whole number as written.
    return isinstance(instance, int) and not isinstance(instance, bool)


_SCHEMA: dict[str, Any] = json.loads(resources.files("orders").joinpath("order.schema.json").read_bytes())

_FIELDS: dict[str, Any] = _SCHEMA["properties"]

_StrictValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
# Formats are not checked unless a checker is handed in.
_VALIDATOR = _StrictValidator(_SCHEMA, format_checker=FormatChecker(formats=("date",)))


def validate_order(document: Any) -> Order:
    """Return the order that a parsed JSON document states, its quantity as an integer.

    Raises OrderInvalidError with all violations: one a place, sorted by pointer, each in the words
    of the schema's own descriptions, so that nothing of the document is repeated but its keys.
    """
    violations = {
        violation.pointer: violation for error in _VALIDATOR.iter_errors(document) for violation in _violations(error)
    }
    if violations:
        raise OrderInvalidError([violations[pointer] for pointer in sorted(violations)])
    return Order(
        customer_id=document["customer_id"],
        product_id=document["product_id"],
        quantity=int(document["quantity"]),
        order_date=document["order_date"],
    )


def _violations(error: ValidationError) -> list[Violation]:
    document: Any = error.instance
    if error.validator == "required":
        return [Violation(_pointer(name), "is required") for name in _SCHEMA["required"] if name not in document]
    if error.validator == "additionalProperties":
        return [Violation(_pointer(name), "is not a field of an order") for name in document if name not in _FIELDS]
    if not error.absolute_path:
        return [Violation("", "must be a JSON object")]
    name = str(error.absolute_path[0])
    return [Violation(_pointer(name), f"must be {_FIELDS[name]['description']}")]


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
