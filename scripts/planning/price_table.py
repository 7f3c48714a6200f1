"""The dated price table, prices.toml."""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from planning.errors import PlanningError

PATH = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Price:
    """What AWS charges: `price` for each `per` units."""

    name: str
    price: Decimal
    per: Decimal
    unit: str
    free: Decimal  # units a month that the whole account has free, without an end
    source: str
    seen: str
    page_date: str
    note: str = ""

    def amount(self, quantity: Decimal) -> Decimal:
        """Return what `quantity` units cost."""
        return quantity * self.price / self.per


@dataclass(frozen=True)
class PriceTable:
    """All prices of one region, as they were read on one day."""

    region: str
    currency: str
    read: date
    prices: dict[str, Price]


def load_price_table(path: Path = PATH) -> PriceTable:
    """Return the table; raises PlanningError where the file is none."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        prices = {
            name: Price(
                name,
                Decimal(entry["price"]),
                Decimal(entry["per"]),
                entry["unit"],
                Decimal(entry.get("free", 0)),
                entry["source"],
                entry["seen"],
                entry["page_date"],
                entry.get("note", ""),
            )
            for name, entry in document.items()
            if isinstance(entry, dict)
        }
        return PriceTable(document["region"], document["currency"], document["read"], prices)
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise PlanningError(f"{path} is no price table: {type(error).__name__} {error}.") from error
