"""CloudWatch's metric filters, evaluated here: the emulator keeps them and never does.

Only what this project's patterns are made of, one field compared with one text; any other pattern is refused.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_EQUALS = re.compile(r'\{ \$\.(\w+) = "([^"\\*]*)" \}')
_FIELD = re.compile(r"\$\.(\w+)")


def matches(pattern: str, line: str) -> bool:
    """Tell whether a line of a log is one that the pattern counts; raises ValueError for a pattern of another kind.

    A line that is no JSON object matches no such pattern, as on AWS.
    """
    parsed = _EQUALS.fullmatch(pattern)
    if parsed is None:
        raise ValueError(f'only patterns such as {{ $.message = "order_stored" }} can be evaluated, not {pattern}')
    field, text = parsed.groups()
    event = _event(line)
    return event is not None and event.get(field) == text


def dimensions(selectors: Mapping[str, str], line: str) -> dict[str, str]:
    """Return the dimensions that a counted line is counted under; one whose field is missing is left out.

    Raises ValueError for a selector that is not a field of the line's object.
    """
    event = _event(line) or {}
    found = {}
    for name, selector in selectors.items():
        parsed = _FIELD.fullmatch(selector)
        if parsed is None:
            raise ValueError(f"only selectors such as $.code can be evaluated, not {selector}")
        if parsed[1] in event:
            found[name] = str(event[parsed[1]])
    return found


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
