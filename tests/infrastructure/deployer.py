"""A user with only the permissions of docs/deployer-policy.json."""

from collections.abc import Mapping
from dataclasses import replace

from local_stack.aws import Credentials
from local_stack.environment import tool_environment
from support.deployment.emulator import Emulator
from support.repository.files import REPOSITORY

POLICY = REPOSITORY / "docs" / "deployer-policy.json"


def deployer_policy(account: str, region: str, zone: str) -> str:
    """Return the documented policy with its placeholders filled in."""
    filled_in = {"PARTITION": "aws", "ACCOUNT": account, "REGION": region, "BUCKET": "artifacts-of-orders"}
    filled_in |= {"KEY": "*", "ZONE": zone}
    text = POLICY.read_text(encoding="utf-8")
    for placeholder, value in filled_in.items():
        text = text.replace(placeholder, value)
    return text


def deployer_environment(emulator: Emulator, account: str, zone: str) -> Mapping[str, str]:
    """Create a user with this policy only; return the environment of a program that acts as this user."""
    iam = emulator.client("iam")
    iam.create_user(UserName="deployer")
    document = deployer_policy(account, emulator.region, zone)
    iam.put_user_policy(UserName="deployer", PolicyName="deployer", PolicyDocument=document)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    return tool_environment(replace(emulator.connection, credentials=credentials))
