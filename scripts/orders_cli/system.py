"""The system that a command uses: its resources and clients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders_cli.errors import OperatorError
from orders_cli.log import EventLog
from orders_cli.queue import Queue
from orders_cli.table import OrdersTable

_NEEDED_OUTPUTS = frozenset(
    {"api_endpoint", "orders_table_name", "orders_queue_url", "orders_dlq_url", "notifications_dlq_url"}
)
_TABLE_SUFFIX = "-orders"


@dataclass(frozen=True)
class System:
    origin: str
    """Where it was found, for messages."""
    outputs: Mapping[str, str]
    """By the names of terraform-backend/outputs.tf."""
    connect: Callable[[str], Any]
    """Creates a client of an AWS service."""
    is_local: bool = False
    _clients: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        missing = sorted(_NEEDED_OUTPUTS - self.outputs.keys())
        if missing or not self.outputs["orders_table_name"].endswith(_TABLE_SUFFIX):
            raise OperatorError(
                f"{self.origin[:1].upper()}{self.origin[1:]} is not an order processing system: "
                f"{'outputs are missing: ' + ', '.join(missing) if missing else 'its table has another name'}. "
                "Name another system with --stack or --terraform."
            )

    @property
    def name(self) -> str:
        return self.outputs["orders_table_name"].removesuffix(_TABLE_SUFFIX)

    @property
    def environment(self) -> str:
        return self.name.rpartition("-")[2]

    @property
    def project(self) -> str:
        return self.name.rpartition("-")[0]

    @property
    def is_production(self) -> bool:
        return self.environment == "prod"

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.connect(service)
        return self._clients[service]

    def function_name(self, function: str) -> str:
        return f"{self.name}-{function}"

    def log_group(self, function: str) -> str:
        return f"/aws/lambda/{self.function_name(function)}"

    def queue(self, output: str) -> Queue:
        return Queue(self.client("sqs"), self.outputs[f"{output}_url"])

    @property
    def table(self) -> OrdersTable:
        return OrdersTable(self.client("dynamodb"), self.outputs["orders_table_name"])

    @property
    def log(self) -> EventLog:
        return EventLog(self.client("logs"), self.log_group)

    @property
    def dashboard_url(self) -> str | None:
        if self.is_local or "dashboard_name" not in self.outputs:
            return None
        region = self.client("cloudwatch").meta.region_name
        return (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#dashboards/dashboard/{self.outputs['dashboard_name']}"
        )
