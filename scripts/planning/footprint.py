"""What a deployment consists of whatever its load, with the defaults of Terraform."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Footprint:
    """Numbers of things, where no unit is named. Tests hold FOOTPRINT to the Terraform plan and the page."""

    memory_mb: dict[str, int]
    alarms: int
    # Counted from the log, with a value in every month with orders; those by code only where something is refused.
    order_metrics: int
    # 4xx, 5xx, Count, IntegrationLatency, Latency and DataProcessed of each route, as detailed metrics are on:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    route_metrics: int
    dashboards: int
    storefront_alarms: int
    storefront_instances: int
    storefront_zones: int
    storefront_volume_gb: int
    page_bytes: int  # what a visitor's browser fetches at the first visit, to ten thousand


FOOTPRINT = Footprint(
    memory_mb={"submission": 1024, "status": 1024, "processing": 512, "notification": 512},
    alarms=16,
    order_metrics=11,
    route_metrics=12,
    dashboards=1,
    storefront_alarms=3,
    storefront_instances=2,
    storefront_zones=2,
    storefront_volume_gb=8,
    page_bytes=80_000,
)
