"""The emulator that Terraform talks to in these tests: empty, with IAM and resource policies enforced."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import local_stack.emulator
from local_stack.aws import AwsConnection
from local_stack.environment import tool_environment
from local_stack.ports import free_port
from local_stack.run_lock import RunLock


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    endpoint_url: str
    region: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program that is to use the emulator, with every right."""
        return tool_environment(self.endpoint_url, self.region)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service, with every right."""
        return AwsConnection(self.endpoint_url, self.region).client(service)


@contextmanager
def running_emulator(directory: Path, region: str) -> Iterator[Emulator]:
    """Run an emulator that keeps its files in `directory`; yield it when it answers."""
    port = free_port()
    with (
        RunLock(directory) as lock,
        local_stack.emulator.running_emulator(directory, port, region, directory / "emulator.log", lock),
    ):
        yield Emulator(f"http://localhost:{port}", region)
