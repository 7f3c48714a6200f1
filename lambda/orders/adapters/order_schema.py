"""The rules of an order as they are deployed: order.schema.json beside this package's code."""

import json
from pathlib import Path

from orders.domain.validation import OrderRules

ORDER_RULES = OrderRules(json.loads((Path(__file__).parents[1] / "order.schema.json").read_bytes()))
