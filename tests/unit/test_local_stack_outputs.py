"""The backend's outputs after a start with another port of the emulator."""

import pytest

from local_stack.stack import at_port


@pytest.mark.parametrize(
    ("made", "today"),
    [
        ("http://ffc57a9f.execute-api.localhost:4566", "http://ffc57a9f.execute-api.localhost:4740"),
        ("http://localhost:4566/000000000000/shop-orders", "http://localhost:4740/000000000000/shop-orders"),
        ("arn:aws:sns:us-east-1:000000000000:shop-alerts", "arn:aws:sns:us-east-1:000000000000:shop-alerts"),
        ("shop-orders", "shop-orders"),
    ],
)
def test_addresses_have_the_port_of_today_and_all_else_is_left_alone(made: str, today: str) -> None:
    assert at_port(made, 4740) == today
