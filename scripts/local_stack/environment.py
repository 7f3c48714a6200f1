"""What the environment of a child process holds: nothing that leads to somebody's real AWS account.

A person who types `make run` may have AWS_PROFILE, keys, an SSO session, TF_VAR_… for production. None of it
reaches a process of the local stack: the credentials are the emulator's own, the configuration files are empty, the
metadata service is off and every AWS API is the emulator's.
"""

import os
from collections.abc import Mapping

from local_stack.aws import AwsConnection

# Variables that would lead a tool to another account, other values or another state.
_PERSONAL_PREFIXES = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "PYTHON")
_PERSONAL_NAMES = frozenset({"TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION", "TF_LOG"})

# All that a program needs from the person's environment to run at all.
_ESSENTIAL_NAMES = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"})

_LOCAL_HOSTS = ("localhost", ".localhost", "127.0.0.1")


def tool_environment(connection: AwsConnection, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a tool that talks to the emulator, such as Terraform or the AWS CLI."""
    return {
        **without_personal_choices(inherited),
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        "AWS_ACCESS_KEY_ID": connection.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": connection.credentials.secret_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        # Past a company's proxy; both spellings, because tools differ in which one they read.
        "NO_PROXY": _with_local_hosts(inherited.get("NO_PROXY")),
        "no_proxy": _with_local_hosts(inherited.get("no_proxy")),
    }


def without_personal_choices(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `inherited` without AWS, Terraform and Python settings: for what talks to no AWS API."""
    return {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_PERSONAL_PREFIXES) and name not in _PERSONAL_NAMES
    }


def essential_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return only what any program needs: for one that takes settings of its own from the environment."""
    return {name: value for name, value in inherited.items() if name in _ESSENTIAL_NAMES}


def _with_local_hosts(no_proxy: str | None) -> str:
    return ",".join([*([no_proxy] if no_proxy else []), *_LOCAL_HOSTS])
