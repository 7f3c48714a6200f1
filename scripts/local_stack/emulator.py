"""ministack, the emulator of AWS that executes the real Lambda zip."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from local_stack.aws import KEY_HEADER, AwsConnection
from local_stack.environment import essential_environment
from local_stack.machine import LOOPBACK
from local_stack.processes import Process
from local_stack.run_lock import RunLock

# It lets open requests end (3 s), then writes its state: more orders take longer.
_STOP_SECONDS = 30

# Not by `-m` and PYTHONPATH, which the functions would inherit.
_PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from aws_emulator.program import main
main()
"""

# Says when the emulator was started last, by its time, and at which port.
_STARTED = "started"

# Touched by the emulator's program (aws_emulator/persistence.py) when it has written all of its state.
_SAVED = Path("state") / "saved"


def start_of_unsaved_run(directory: Path) -> datetime | None:
    """Return when the emulator was started last if that run never wrote all of its state; else None."""
    started, saved = directory / _STARTED, directory / _SAVED
    if not started.exists():
        return None
    if saved.exists() and saved.stat().st_mtime >= started.stat().st_mtime:
        return None
    return datetime.fromtimestamp(started.stat().st_mtime)


def move_to_port(home: Path, port: int) -> None:
    """Give all addresses that are kept under `home` the port that the emulator will have now.

    The emulator finds a queue by its address, and so does Terraform: with the former port neither would.
    """
    started = home / "emulator" / _STARTED
    former = started.read_text() if started.exists() else ""
    if former in ("", str(port)):
        return
    for file in [*(home / "emulator" / "state").glob("*.json"), *home.glob("deployment/*.tfstate")]:
        text = file.read_text(encoding="utf-8")
        moved = re.sub(rf"(localhost|127\.0\.0\.1):{former}\b", rf"\g<1>:{port}", text)
        if moved != text:
            kept = file.stat()
            file.write_text(moved, encoding="utf-8")
            os.utime(file, (kept.st_atime, kept.st_mtime))


@contextmanager
def running_emulator(
    directory: Path, connection: AwsConnection, log: Path, lock: RunLock, origins: Sequence[str] = ()
) -> Iterator[Process]:
    """Run the emulator that `connection` connects to, with IAM enforced; yield it when it answers.

    Its state is read from `directory`/state at the start and written there when it is stopped. The credentials of
    `connection` are those of its root user. Only pages of `origins` may call its HTTP APIs.
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
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": connection.region,
            "ROOT_ACCESS_KEY_ID": credentials.access_key,
            "ROOT_SECRET_ACCESS_KEY": credentials.secret_key,
            "STOREFRONT_ORIGINS": " ".join(origins),
            # Roles are enforced, so an action that a role lacks fails here as it would on AWS.
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(directory / "s3"),
            "TMPDIR": str(temporary),
            # These two would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Functions are processes of this machine; a container engine that is there is left alone.
            "LAMBDA_EXECUTOR": "local",
            "DOCKER_HOST": f"unix://{temporary}/no-container-engine",
            # The functions inherit this environment, so it must not lead them to somebody's account either.
            # AWS_ENDPOINT_URL is missing on purpose: even empty it would reach them, not the right one.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        log=log,
        grace_seconds=_STOP_SECONDS,
        inherited=[lock.file_descriptor],
    )
    with process:
        health = f"http://{LOOPBACK}:{port}/_ministack/health"
        process.wait_until_it_answers(health, {KEY_HEADER: credentials.access_key})
        (directory / _STARTED).write_text(str(port))
        yield process
    shutil.rmtree(temporary, ignore_errors=True)
