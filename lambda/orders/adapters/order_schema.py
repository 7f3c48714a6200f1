"""The deployed rules of an order, from order.schema.json in this package."""

import json
from pathlib import Path

from orders.domain.validation import OrderRules

ORDER_RULES = OrderRules(json.loads((Path(__file__).parents[1] / "order.schema.json").read_bytes()))
