"""The price table is complete, dated and says where each price is from."""

import re
from datetime import date
from pathlib import Path

import pytest

from planning.bill import Choices, bill
from planning.errors import PlanningError
from planning.footprint import FOOTPRINT
from planning.price_table import PATH, load_price_table
from planning.workload import PROFILES


def test_each_price_names_aws_page_and_where_and_when_it_was_seen() -> None:
    table = load_price_table()
    assert (table.region, table.currency) == ("us-east-1", "USD")
    assert isinstance(table.read, date)
    for price in table.prices.values():
        assert price.source.startswith("https://aws.amazon.com/"), price.name
        assert price.price > 0, price.name
        assert re.match(r"https://|public repositories|an article|no page", price.seen), price.name
        assert price.page_date == "not stated" or re.match(r"20\d\d", price.page_date), price.name


def test_each_price_is_used_and_each_that_is_used_is_there() -> None:
    table = load_price_table()
    workload = PROFILES["million-a-month"]
    everything = [
        Choices(has_customer_key=True, is_snapstart=True),
        Choices(is_rest_api=True, instances_are_private=True),
    ]
    used = {line.price for choices in everything for line in bill(workload, choices, table, FOOTPRINT).lines}
    assert used == set(table.prices)


@pytest.mark.parametrize("text", ["", "region = ", 'region = "us-east-1"\n[a]\nprice = 1\n'])
def test_a_broken_table_is_said_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PlanningError, match="is no price table"):
        load_price_table(path)


def test_the_table_lies_beside_the_code() -> None:
    assert PATH.exists()
