"""Rules that schemathesis cannot derive from the schema."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    """Skip orders whose quantity is a float without a fraction.

    JSON Schema counts 1.0 as an integer (draft 2020-12, section 4.2.3), and so does schemathesis. The
    contract rejects it, which JSON Schema cannot express; test_validation.py tests such numbers.
    """
    quantity = body.get("quantity") if isinstance(body, dict) else None
    return not (isinstance(quantity, float) and quantity.is_integer())
