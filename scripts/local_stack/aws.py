"""Clients of the emulator's AWS APIs, for this program itself and for tests."""

import os
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

# botocore reads these from the environment before anything else: a profile named there that does not exist
# here, or that leads to a real account, must not matter.
_NO_PERSONAL_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@dataclass(frozen=True)
class Credentials:
    """What a caller signs its requests with."""

    access_key: str
    secret_key: str
    session_token: str | None = None


NOBODY = Credentials("", "")
"""Somebody who signs nothing."""

KEY_HEADER = "X-Local-Access-Key"
"""The header in which the emulator's own paths, /_ministack/*, require its root user's access key id."""


@dataclass(frozen=True)
class AwsConnection:
    """Where the emulator listens, the region of its resources, and whose requests these are."""

    endpoint_url: str
    region: str
    credentials: Credentials

    def client(self, service: str) -> Any:
        """Return a new boto3 client of `service`, whatever the person's own AWS settings are."""
        session = boto3.session.Session(
            botocore_session=botocore.session.Session(session_vars=_NO_PERSONAL_FILES),
            aws_access_key_id=self.credentials.access_key or None,
            aws_secret_access_key=self.credentials.secret_key or None,
            aws_session_token=self.credentials.session_token,
            region_name=self.region,
        )
        return session.client(
            service,
            endpoint_url=self.endpoint_url,
            config=Config(
                signature_version=UNSIGNED if self.credentials == NOBODY else None,
                # An empty mapping, not None, keeps a proxy of the environment out.
                proxies={},
                use_dualstack_endpoint=False,
                use_fips_endpoint=False,
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 3},
            ),
        )
