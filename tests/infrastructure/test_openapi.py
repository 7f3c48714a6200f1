"""Both deployments serve what docs/openapi.yaml describes, and let a browser use it."""

from dataclasses import dataclass

import pytest

from support.deployment.terraform import Plan
from support.repository.cloudformation import Template
from support.repository.openapi import operations, resolved, responses


@dataclass(frozen=True)
class Api:
    """An HTTP API as it is described: its routes and what CORS admits."""

    routes: set[str]
    methods: set[str]
    request_headers: set[str]
    exposed_headers: set[str]


@pytest.fixture
def from_template() -> Api:
    resources = Template.read().resources(NotificationEmail="operations@example.com").values()
    [api] = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Api"]
    cors = api["CorsConfiguration"]
    return Api(
        {each["Properties"]["RouteKey"] for each in resources if each["Type"] == "AWS::ApiGatewayV2::Route"},
        set(cors["AllowMethods"]),
        set(cors["AllowHeaders"]),
        set(cors["ExposeHeaders"]),
    )


@pytest.fixture
def from_plan(plan: Plan) -> Api:
    [api] = plan.resources.of_type("aws_apigatewayv2_api").values()
    [cors] = api["cors_configuration"]
    return Api(
        {route["route_key"] for route in plan.resources.of_type("aws_apigatewayv2_route").values()},
        set(cors["allow_methods"]),
        set(cors["allow_headers"]),
        set(cors["expose_headers"]),
    )


@pytest.fixture(params=["from_template", "from_plan"])
def api(request: pytest.FixtureRequest) -> Api:
    """The API as each of the two describes it."""
    described: Api = request.getfixturevalue(request.param)
    return described


def test_the_routes_are_the_documented_operations(api: Api) -> None:
    assert api.routes == operations().keys()


def test_a_browser_may_use_every_documented_method(api: Api) -> None:
    assert api.methods == {route.split()[0] for route in operations()}


def test_a_browser_may_send_every_documented_header(api: Api) -> None:
    documented = {
        parameter["name"].lower()
        for operation in operations().values()
        for parameter in map(resolved, operation.get("parameters", []))
        if parameter["in"] == "header"
    }

    # A form could send only three content types without asking, and JSON is none of them.
    assert api.request_headers == documented | {"content-type"}


def test_a_browser_may_read_every_documented_header(api: Api) -> None:
    documented = {name.lower() for response in responses() for name in response.headers}

    # What a script may read of any answer: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
    assert api.exposed_headers == documented - {"cache-control"}
