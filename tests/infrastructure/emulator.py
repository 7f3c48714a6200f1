"""The emulator that Terraform talks to in these tests: empty, over TLS, with IAM and resource policies enforced.

Over TLS, because the queues' and topics' policies refuse everything else, and the emulator enforces them.
"""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import create_default_context
from typing import Any

import boto3

from free_ports import free_port
from requirements_of_tests import require_program
from waiting import wait_for

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    endpoint_url: str
    region: str
    certificate: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What leads an AWS client to the emulator, with every right."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service, with every right."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            verify=str(self.certificate),
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextmanager
def running_emulator(directory: Path, region: str, search_path: str) -> Iterator[Emulator]:
    """Run an emulator that keeps its files in `directory`; yield it when it answers.

    `search_path` is its PATH. It gets nothing else of the tests' environment, least of all somebody's account.
    """
    require_program("openssl", "install OpenSSL: the emulator makes its certificate with it")
    port = free_port()
    log = directory / "emulator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=directory,
            env={
                "PATH": search_path,
                "HOME": str(directory),
                "TMPDIR": str(directory),
                "STATE_DIR": str(directory / "state"),
                "BIND_HOST": LOOPBACK,
                "GATEWAY_PORT": str(port),
                "MINISTACK_REGION": region,
                "AUTH": "true",
                "USE_SSL": "1",
                # These two would listen on every interface.
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LAMBDA_EXECUTOR": "local",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    emulator = Emulator(
        f"https://localhost:{port}", region, certificate=directory / "ministack-tls" / "server.crt"
    )

    def answers() -> bool:
        assert process.poll() is None, f"the emulator did not start: {log.read_text(encoding='utf-8')}"
        if not emulator.certificate.exists():
            return False
        context = create_default_context(cafile=str(emulator.certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            opener.open(f"{emulator.endpoint_url}/_ministack/health", timeout=5).close()
        except OSError:
            return False
        return True

    try:
        wait_for("the emulator to answer", answers)
        yield emulator
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
