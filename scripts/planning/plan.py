"""All that a run of the capacity model depends on besides the arrivals."""

from dataclasses import dataclass, field

from planning.deployment import Deployment
from planning.durations import Durations
from planning.quotas import Quotas


@dataclass(frozen=True)
class Load:
    """What goes along with the orders."""

    status_requests_per_order: float = 1
    # The part of all orders that the busiest customer places; 0 spreads them over many.
    hottest_customer_share: float = 0


@dataclass(frozen=True)
class Plan:
    """A deployment under AWS's limits, with the time that its functions take and the load that it gets."""

    deployment: Deployment = field(default_factory=Deployment)
    quotas: Quotas = field(default_factory=Quotas)
    durations: Durations = field(default_factory=Durations)
    load: Load = field(default_factory=Load)
