"""The system that a command talks to: what it consists of, and how to reach its services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders_cli.errors import OperatorError

FUNCTIONS = ("submission", "processing", "status", "notification")

_NEEDED_OUTPUTS = frozenset(
    {"api_endpoint", "orders_table_name", "orders_queue_url", "orders_dlq_url", "notifications_dlq_url"}
)
_TABLE_SUFFIX = "-orders"


@dataclass(frozen=True)
class System:
    """One deployment of the order processing system."""

    origin: str
    """Where it was found, as a person would say it."""
    outputs: Mapping[str, str]
    """By the names of terraform-backend/outputs.tf."""
    connect: Callable[[str], Any]
    """Makes a client of an AWS service."""
    is_local: bool = False
    _clients: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        missing = sorted(_NEEDED_OUTPUTS - self.outputs.keys())
        if missing or not self.outputs["orders_table_name"].endswith(_TABLE_SUFFIX):
            raise OperatorError(
                f"{self.origin[:1].upper()}{self.origin[1:]} is no order processing system: "
                f"{'it lacks the outputs ' + ', '.join(missing) if missing else 'its table has another name'}. "
                "Name another one with --stack or --terraform."
            )

    @property
    def name(self) -> str:
        """The first part of every resource's name: project and environment."""
        return self.outputs["orders_table_name"].removesuffix(_TABLE_SUFFIX)

    @property
    def environment(self) -> str:
        """The stage: dev, staging or prod."""
        return self.name.rpartition("-")[2]

    @property
    def project(self) -> str:
        """The project, which the environment is a stage of."""
        return self.name.rpartition("-")[0]

    @property
    def is_production(self) -> bool:
        """Whether a change here needs a person's word."""
        return self.environment == "prod"

    def client(self, service: str) -> Any:
        """Return the client of an AWS service, made once."""
        if service not in self._clients:
            self._clients[service] = self.connect(service)
        return self._clients[service]

    def function_name(self, function: str) -> str:
        """Return the full name of one of FUNCTIONS."""
        return f"{self.name}-{function}"

    def log_group(self, function: str) -> str:
        """Return the log group of one of FUNCTIONS."""
        return f"/aws/lambda/{self.function_name(function)}"
