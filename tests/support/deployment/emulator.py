"""An empty emulator with IAM and resource policies enforced."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import local_stack.emulator
from local_stack.aws import AwsConnection, new_credentials
from local_stack.environment import tool_environment
from local_stack.machine import RunLock, free_port


@dataclass(frozen=True)
class Emulator:
    connection: AwsConnection
    """The connection of its root user."""

    @property
    def endpoint_url(self) -> str:
        return self.connection.endpoint_url

    @property
    def region(self) -> str:
        return self.connection.region

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program that uses the emulator with all permissions."""
        return tool_environment(self.connection)

    def client(self, service: str) -> Any:
        return self.connection.client(service)


@contextmanager
def running_emulator(directory: Path, region: str) -> Iterator[Emulator]:
    """Run an emulator that stores its files in `directory`."""
    connection = AwsConnection(f"http://localhost:{free_port()}", region, new_credentials())
    with (
        RunLock(directory) as lock,
        local_stack.emulator.running_emulator(directory, connection, directory / "emulator.log", lock),
    ):
        yield Emulator(connection)
