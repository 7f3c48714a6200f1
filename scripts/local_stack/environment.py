"""The environment of child processes, without access to the user's real AWS account.

The user may have set AWS_PROFILE, keys, an SSO session or TF_VAR_… for production. Processes of the local stack receive
none of them.
"""

import os
from collections.abc import Mapping

from local_stack.aws import AwsConnection

# Variables that would make a tool use another account, other values or another state.
_USER_PREFIXES = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "PYTHON")
_USER_NAMES = frozenset({"TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION", "TF_LOG"})

_ESSENTIAL_NAMES = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"})

_LOCAL_HOSTS = ("localhost", ".localhost", "127.0.0.1")

# The emulator gets these too, because its functions inherit them. It gets no AWS_ENDPOINT_URL, not even an empty one.
NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def tool_environment(connection: AwsConnection, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a tool that uses the emulator, such as Terraform or the AWS CLI."""
    no_proxy = {
        name: ",".join([*([inherited[name]] if inherited.get(name) else []), *_LOCAL_HOSTS])
        for name in ("NO_PROXY", "no_proxy")  # tools differ in which one they read
    }
    return {
        **without_user_settings(inherited),
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        "AWS_ACCESS_KEY_ID": connection.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": connection.credentials.secret_key,
        "AWS_PAGER": "",
        **NO_ACCOUNT,
        **no_proxy,
    }


def without_user_settings(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `inherited` without AWS, Terraform and Python settings, for programs that call no AWS API."""
    return {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_USER_PREFIXES) and name not in _USER_NAMES
    }


def essential_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return only the variables that every program needs, for a program that reads settings from the environment."""
    return {name: value for name, value in inherited.items() if name in _ESSENTIAL_NAMES}
