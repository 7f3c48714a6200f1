"""What is wrong with a document that is no order, every violation in words: jsonschema's part.

Imported when it is first needed: most orders are sound, and the library takes its time to load.
"""

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from orders.domain.errors import Violation
from orders.domain.order_schema import ORDER_SCHEMA, is_integer


def _is_integer(_: TypeChecker, instance: object) -> bool:
    return is_integer(instance)


_FIELDS: dict[str, Any] = ORDER_SCHEMA["properties"]

_StrictValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
# Formats are not checked unless a checker is handed in.
_VALIDATOR = _StrictValidator(ORDER_SCHEMA, format_checker=FormatChecker(formats=("date",)))


def find_violations(document: Any) -> list[Violation]:
    """Return every rule of order.schema.json that a parsed JSON document breaks, none if it is an order.

    One a place, sorted by pointer, each in the words of the schema's own descriptions, so that nothing of
    the document is repeated but its keys.
    """
    violations = {
        violation.pointer: violation for error in _VALIDATOR.iter_errors(document) for violation in _violations(error)
    }
    return [violations[pointer] for pointer in sorted(violations)]


def _violations(error: ValidationError) -> list[Violation]:
    document: Any = error.instance
    if error.validator == "required":
        return [Violation(_pointer(name), "is required") for name in ORDER_SCHEMA["required"] if name not in document]
    if error.validator == "additionalProperties":
        return [Violation(_pointer(name), "is not a field of an order") for name in document if name not in _FIELDS]
    if not error.absolute_path:
        return [Violation("", "must be a JSON object")]
    name = str(error.absolute_path[0])
    return [Violation(_pointer(name), f"must be {_FIELDS[name]['description']}")]


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
