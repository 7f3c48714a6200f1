"""ministack, the emulator of AWS that executes the real Lambda zip."""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from local_stack.aws import KEY_HEADER, AwsConnection
from local_stack.environment import NO_ACCOUNT, essential_environment
from local_stack.machine import LOOPBACK, RunLock
from local_stack.processes import Process

# Requests in flight have 3 s to finish. Then the emulator saves its state, which takes longer with more orders.
_STOP_SECONDS = 30

# Do not use `-m` with PYTHONPATH: the functions would inherit PYTHONPATH.
_PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from aws_emulator.program import main
main()
"""

# This file holds the port of the last run; its modification time is the start of that run.
_STARTED = "started"

# Touched by the emulator (aws_emulator/persistence.py) after it has saved its state.
_SAVED = Path("state") / "saved"


def start_of_unsaved_run(directory: Path) -> datetime | None:
    """Return the start of the emulator's last run if that run did not save its state; else None."""
    started, saved = (
        path.stat().st_mtime if path.exists() else 0.0 for path in (directory / _STARTED, directory / _SAVED)
    )
    return datetime.fromtimestamp(started) if started > saved else None


def move_to_port(home: Path, port: int) -> None:
    """Change the port in all addresses under `home`, because the emulator and Terraform find a queue by its address."""
    started = home / "emulator" / _STARTED
    former = started.read_text() if started.exists() else ""
    if former in ("", str(port)):
        return
    for file in [*(home / "emulator" / "state").glob("*.json"), *home.glob("deployment/*.tfstate")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(rf"(localhost|127\.0\.0\.1):{former}\b", rf"\g<1>:{port}", text), encoding="utf-8")


@contextmanager
def running_emulator(
    directory: Path, connection: AwsConnection, log: Path, lock: RunLock, origins: Sequence[str] = ()
) -> Iterator[Process]:
    """Run the emulator at the address of `connection`, with IAM enforced; yield it once it responds.

    It loads its state from `directory` and saves it there when it is stopped. Its root user has the credentials of
    `connection`. Only pages of `origins` may call its HTTP APIs.
    """
    port, credentials = urlsplit(connection.endpoint_url).port, connection.credentials
    temporary = directory / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    process = Process(
        "The emulator",
        [sys.executable, "-c", _PROGRAM],
        environment={
            **essential_environment(),
            **NO_ACCOUNT,
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": connection.region,
            "ROOT_ACCESS_KEY_ID": credentials.access_key,
            "ROOT_SECRET_ACCESS_KEY": credentials.secret_key,
            "STOREFRONT_ORIGINS": " ".join(origins),
            "AUTH": "true",  # enforces IAM
            "PERSIST_STATE": "1",
            "STATE_DIR": str(directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(directory / "s3"),
            "TMPDIR": str(temporary),
            # These two would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Run functions as processes, even where there is a container engine.
            "LAMBDA_EXECUTOR": "local",
            "DOCKER_HOST": f"unix://{temporary}/no-container-engine",
        },
        log=log,
        grace_seconds=_STOP_SECONDS,
        lock=lock,
    )
    with process:
        health = f"http://{LOOPBACK}:{port}/_ministack/health"
        process.wait_until_it_responds(health, {KEY_HEADER: credentials.access_key})
        (directory / _STARTED).write_text(str(port))
        yield process
    shutil.rmtree(temporary, ignore_errors=True)
