"""The template's routes and CORS match docs/openapi.yaml. test_parity.py compares Terraform with the template."""

from typing import Any

import pytest

from support.repository.cloudformation import Template
from support.repository.openapi import operations, resolved, responses


@pytest.fixture
def resources() -> list[dict[str, Any]]:
    return list(Template.read().resources(NotificationEmail="operations@example.com").values())


@pytest.fixture
def cors(resources: list[dict[str, Any]]) -> dict[str, Any]:
    [api] = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Api"]
    settings: dict[str, Any] = api["CorsConfiguration"]
    return settings


def test_routes_are_the_documented_operations(resources: list[dict[str, Any]]) -> None:
    routes = {each["Properties"]["RouteKey"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Route"}
    assert routes == operations().keys()


def test_browser_may_use_every_documented_method_and_header(cors: dict[str, Any]) -> None:
    assert set(cors["AllowMethods"]) == {route.split()[0] for route in operations()}
    documented = {
        parameter["name"].lower()
        for operation in operations().values()
        for parameter in map(resolved, operation.get("parameters", []))
        if parameter["in"] == "header"
    }
    # JSON needs a preflight request; without one, a browser sends only three other content types.
    assert set(cors["AllowHeaders"]) == documented | {"content-type"}


def test_browser_may_read_every_documented_header(cors: dict[str, Any]) -> None:
    documented = {name.lower() for response in responses() for name in response.headers}
    # Always readable: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
    assert set(cors["ExposeHeaders"]) == documented - {"cache-control"}
