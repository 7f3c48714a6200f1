"""AWS clients with time limits."""

from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

CLIENT_LIMITS = Config(connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})
"""Time limits of a call: two attempts of at most (1 + 4) s each, and one backoff of at most 1 s.

So a call ends within 11 s, or within 13 s if the first address of the service does not respond. That is less than the
timeout of submission and status (15 s) and of API Gateway (30 s); tests compute both. After a failure the client, the
queue or the stream retries.
"""


class _ServiceLoader(Loader):  # type: ignore[misc]  # botocore has no type annotations
    """Load one service's model. botocore's own loader lists the folders of all services, twice in each cold start."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def list_available_services(self, type_name: str) -> list[str]:
        """Return only this service."""
        return [self._service]


def make_client(service: str) -> Any:
    """Return a client of an AWS service, for the region, credentials and endpoint of the environment."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _ServiceLoader(service))
    return boto3.Session(botocore_session=session).client(service, config=CLIENT_LIMITS)
