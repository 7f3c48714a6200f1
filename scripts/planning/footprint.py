"""What a deployment consists of whatever its load, read from the Terraform files."""

from dataclasses import dataclass
from pathlib import Path

from planning.terraform_text import ROOT, block, entries, read_terraform, value

FUNCTIONS = ("submission", "status", "processing", "notification")

# Each route's own metrics, where detailed metrics are on: 4xx, 5xx, Count, IntegrationLatency, Latency and
# DataProcessed (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html).
_METRICS_OF_A_ROUTE = 6
_ROUTES = 2

_PAGE_SUFFIXES = {".html", ".css", ".js", ".svg", ".png", ".webp", ".jpg", ".ico"}


@dataclass(frozen=True)
class Footprint:
    """Numbers of things, and megabytes where it says so."""

    memory_mb: dict[str, int]
    alarms: int
    order_metrics: int
    route_metrics: int
    dashboards: int
    storefront_alarms: int
    storefront_instances: int
    storefront_zones: int
    storefront_volume_gb: int
    page_bytes: int  # of all files that a visitor's browser fetches at the first visit, to ten thousand


def read_footprint() -> Footprint:
    """Return the footprint of the Terraform files with their defaults; raises PlanningError where it cannot be told."""
    main = read_terraform("terraform-backend", "main.tf")
    module = read_terraform("terraform-backend/modules/function", "main.tf")
    storefront = read_terraform("terraform-frontend", "main.tf")
    variables = read_terraform("terraform-frontend", "variables.tf")
    stage = block(main, 'resource "aws_apigatewayv2_stage" "default"')
    has_route_metrics = value(stage, "detailed_metrics_enabled") == "true"
    return Footprint(
        memory_mb={name: int(value(block(main, f'module "{name}"'), "memory_size_mb")) for name in FUNCTIONS},
        alarms=len(entries(block(main, "alarms =")))
        + len(FUNCTIONS) * _resources(module, "aws_cloudwatch_metric_alarm"),
        order_metrics=len(entries(block(main, "order_metrics ="))),
        route_metrics=_ROUTES * _METRICS_OF_A_ROUTE if has_route_metrics else 0,
        dashboards=_resources(main, "aws_cloudwatch_dashboard"),
        storefront_alarms=len(entries(block(storefront, "alarms ="))),
        storefront_instances=int(value(block(variables, 'variable "min_size"'), "default")),
        storefront_zones=2,  # the region's first two, by default
        storefront_volume_gb=int(value(storefront, "volume_size")),
        page_bytes=round(sum(path.stat().st_size for path in _page_files()), -4),
    )


def _page_files() -> list[Path]:
    page = ROOT / "frontend"
    return [path for path in page.rglob("*") if path.suffix in _PAGE_SUFFIXES and path.name != "config.js"]


def _resources(text: str, kind: str) -> int:
    return text.count(f'resource "{kind}" ')
