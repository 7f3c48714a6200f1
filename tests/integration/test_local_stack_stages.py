"""A stage of an API in the emulator: what is deleted of it is a setting and never the stage."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.deployment.emulator import running_emulator

LOG = {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:access", "Format": "$context.requestId"}


@pytest.fixture(scope="module")
def api_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_emulator(tmp_path_factory.mktemp("stages"), "us-east-1") as emulator:
        yield emulator.client("apigatewayv2")


@pytest.fixture
def stage(api_gateway: Any) -> dict[str, str]:
    """The address of a stage that writes an access log and has a limit of its own for each of two routes."""
    address = {
        "ApiId": api_gateway.create_api(Name="orders", ProtocolType="HTTP")["ApiId"],
        "StageName": "$default",
    }
    limits = {"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 5.0}
    api_gateway.create_stage(
        **address,
        AccessLogSettings=LOG,
        RouteSettings={"POST /orders": limits, "GET /orders/{order_id}": limits},
    )
    return address


def test_deleting_the_settings_of_a_route_leaves_all_else(api_gateway: Any, stage: dict[str, str]) -> None:
    api_gateway.delete_route_settings(**stage, RouteKey="POST /orders")

    left = api_gateway.get_stage(**stage)
    assert left["RouteSettings"].keys() == {"GET /orders/{order_id}"}
    assert left["AccessLogSettings"] == LOG


def test_deleting_the_access_log_leaves_all_else(api_gateway: Any, stage: dict[str, str]) -> None:
    api_gateway.delete_access_log_settings(**stage)

    left = api_gateway.get_stage(**stage)
    assert "AccessLogSettings" not in left
    assert left["RouteSettings"].keys() == {"POST /orders", "GET /orders/{order_id}"}


def test_settings_that_a_route_does_not_have_are_not_found(api_gateway: Any, stage: dict[str, str]) -> None:
    with pytest.raises(api_gateway.exceptions.NotFoundException):
        api_gateway.delete_route_settings(**stage, RouteKey="PUT /orders")
    assert api_gateway.get_stage(**stage)["RouteSettings"].keys() == {"POST /orders", "GET /orders/{order_id}"}
