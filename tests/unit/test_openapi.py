"""docs/openapi.yaml agrees with the package `orders`. `make check` validates it as OpenAPI."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from orders.domain.order_id import parse_order_id
from orders.handlers.http import _TITLES
from support.repository.files import REPOSITORY
from support.repository.openapi import document, operations, responses
from support.sample_orders import ORDER_SCHEMA, SAMPLE_BODY

PACKAGE = REPOSITORY / "lambda" / "orders"
READING = PACKAGE / "domain" / "json_document.py"
HTTP = PACKAGE / "handlers" / "http.py"

# The modules that return or raise the problems of each route.
MODULES = {
    "POST /orders": (PACKAGE / "handlers" / "submission.py", READING, HTTP),
    "GET /orders/{order_id}": (PACKAGE / "handlers" / "status.py", HTTP),
}
# The status of every DocumentUnreadableError.
READING_STATUS = 400
# Caused only by a request body, which GET does not have.
ONLY_OF_BODIES = {("GET /orders/{order_id}", READING_STATUS, "INVALID_ENCODING")}


def problems_of(module: Path) -> set[tuple[int, str]]:
    """Return each status and code with which a module returns or raises a problem."""
    text = module.read_text()
    found = {
        (int(status), code) for status, code in re.findall(r'(?:problem|HttpError)\(\s*(\d{3}),\s*"([A-Z_]+)"', text)
    }
    return found | {(READING_STATUS, code) for code in re.findall(r'DocumentUnreadableError\(\s*"([A-Z_]+)"', text)}


def test_documented_codes_are_those_of_the_functions() -> None:
    returned = {
        (route, status, code)
        for route, modules in MODULES.items()
        for module in modules
        for status, code in problems_of(module)
    }
    documented = {(response.route, response.status, code) for response in responses() for code in response.codes}

    assert documented == returned - ONLY_OF_BODIES


def test_every_code_has_its_example() -> None:
    for response in responses():
        examples = response.content.get("application/problem+json", {}).get("examples", {})
        assert examples.keys() == response.codes, response
        for code, example in examples.items():
            problem = example["value"]
            assert problem["code"] == code
            assert problem["status"] == response.status
            assert problem["title"] == _TITLES[response.status]
            assert problem["type"] == "urn:problem:order-processing:" + code.lower().replace("_", "-")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(each)


def test_every_example_matches_its_schema() -> None:
    checked = 0
    for owner in [each for each in objects(document()) if "schema" in each]:
        # The references in a schema are relative to the whole document.
        schema = {**owner["schema"], "components": document()["components"]}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        examples = [each["value"] for each in owner.get("examples", {}).values()]
        for example in [*examples, *([owner["example"]] if "example" in owner else [])]:
            validator.validate(example)
            checked += 1
    assert checked >= 20


def test_first_example_is_the_sample_order_byte_for_byte() -> None:
    [first, *_] = operations()["POST /orders"]["requestBody"]["content"]["application/json"]["examples"].values()

    assert json.dumps(first["value"]).encode() == SAMPLE_BODY


def test_every_order_id_in_an_example_has_a_valid_checksum() -> None:
    ids = re.findall(r"\b[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", json.dumps(document()))

    assert ids
    assert all(map(parse_order_id, ids))


def test_embedded_order_is_equal_to_the_schema() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["Order"] == ORDER_SCHEMA

    rules = ORDER_SCHEMA["properties"]
    expected = {**rules, "quantity": rules["quantity"]["anyOf"][0]}
    processed = schemas["ProcessedOrder"]["properties"]
    assert {name: processed[name] for name in expected} == expected
