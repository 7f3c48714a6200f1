"""The emulator's root credentials and its boto3 clients."""

import json
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from local_stack.machine import LocalStackError, make_private, write_private

ACCESS_KEY_FILE = "access-key.json"

KEY_HEADER = "X-Local-Access-Key"
"""The header for the root user's access key id, which the emulator's own paths (/_ministack/*) require."""

# botocore reads these variables first. Their profile may not exist here, or may belong to a real account.
_NO_USER_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Shared by all sessions: it caches the services' models, which take 80 ms to read.
_LOADER = botocore.loaders.create_loader()


@dataclass(frozen=True)
class Credentials:
    """The credentials with which a caller signs requests."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    @property
    def description(self) -> dict[str, str]:
        """The credentials under their names in stack.json."""
        return {"access_key_id": self.access_key, "secret_access_key": self.secret_key}


ANONYMOUS = Credentials("", "")
"""The credentials of a caller that does not sign its requests."""


def new_credentials() -> Credentials:
    """Return random credentials; the key id does not have a prefix of AWS."""
    return Credentials(f"LOCAL{secrets.token_hex(10).upper()}", secrets.token_urlsafe(30))


def stored_credentials(directory: Path) -> Credentials:
    """Return the credentials stored in `directory`; create them at the first call, readable by the owner only."""
    make_private(directory)
    path = directory / ACCESS_KEY_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(document["access_key_id"], document["secret_access_key"])
    except FileNotFoundError:
        credentials = new_credentials()
        write_private(path, json.dumps(credentials.description) + "\n")
        return credentials
    except (ValueError, KeyError, TypeError) as error:
        raise LocalStackError(f"{path} is damaged: delete it, and start again with a new access key.") from error


@dataclass(frozen=True)
class AwsConnection:
    """The emulator's address, the region of its resources, and the credentials of the caller."""

    endpoint_url: str
    region: str
    credentials: Credentials

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service`, independent of the user's own AWS settings."""
        return _client(self, service)


@cache
def _client(connection: AwsConnection, service: str) -> Any:
    session = botocore.session.Session(session_vars=_NO_USER_FILES)
    session.register_component("data_loader", _LOADER)
    config = Config(
        signature_version=UNSIGNED if connection.credentials == ANONYMOUS else None,
        proxies={},  # None would use a proxy of the environment
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return boto3.session.Session(botocore_session=session).client(
        service,
        connection.region,
        endpoint_url=connection.endpoint_url,
        aws_access_key_id=connection.credentials.access_key or None,
        aws_secret_access_key=connection.credentials.secret_key or None,
        aws_session_token=connection.credentials.session_token,
        config=config,
    )
