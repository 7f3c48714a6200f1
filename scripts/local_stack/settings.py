"""The settings of a local stack, from environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local_stack.aws import AwsConnection, stored_credentials
from local_stack.machine import LOOPBACK, LocalStackError

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The settings of one local stack; the defaults are those of `make run`.

    The stack writes only to `local_directory`, apart from the Lambda zip in dist/. Two stacks can run at once if their
    directories and ports differ.
    """

    storefront_port: int = 8080
    aws_port: int = 4566
    deploy: str = "cloudformation"
    notification_email: str = "you@example.com"
    completed_order_email: str = "orders@example.com"
    """Subscribed because no e-mail leaves the machine. The backend's default subscribes no address."""
    local_directory: Path = REPOSITORY / ".local"
    redeploy_from: Path | None = None
    """A directory whose lambda/ is deployed on each change while the stack runs; `make run` sets the checkout."""
    project: str = "order-processing"
    environment: str = "dev"
    region: str = "us-east-1"
    processing_timeout_seconds: int = 2
    """The backend's minimum. A message that always fails is dead-lettered after 30 times this duration."""

    @cached_property
    def connection(self) -> AwsConnection:
        """The connection to the emulator as its root user, with the access key stored in `local_directory`."""
        url = f"http://{LOOPBACK}:{self.aws_port}"
        return AwsConnection(url, self.region, stored_credentials(self.local_directory))

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may call the orders API."""
        return tuple(f"http://{host}:{self.storefront_port}" for host in ("localhost", LOOPBACK))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read PORT, AWS_PORT and DEPLOY; an unset or empty variable means the default."""
        settings = cls(
            storefront_port=_port(environment, "PORT", cls.storefront_port),
            aws_port=_port(environment, "AWS_PORT", cls.aws_port),
            deploy=environment.get("DEPLOY") or cls.deploy,
            redeploy_from=REPOSITORY,
        )
        if settings.storefront_port == settings.aws_port:
            raise LocalStackError(
                f"PORT and AWS_PORT are both {settings.aws_port}: "
                "the storefront and the emulator need different ports, change one of them."
            )
        return settings


def _port(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable) or str(default)
    # ASCII digits only: int() also accepts "٨٠٨٠", "8_080" and " 8080 ".
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= port <= 65535:
        raise LocalStackError(
            f"{variable}={text} is not a port: give a whole number from 1 to 65535, such as {variable}={default}."
        )
    return port
