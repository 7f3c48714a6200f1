"""The frontend's Terraform folder as the tests plan it: with what a deployment cannot do without."""

import base64
from typing import Any

from support.deployment.terraform import Plan

API_URL = "http://abc.execute-api.localhost:4566"
REPOSITORY_URL = "https://github.com/example/shop.git"

# The emulator has none of Debian's images.
IMAGE = "ami-0123456789abcdef0"

VARIABLES: dict[str, Any] = {
    "api_url": API_URL,
    "repository_url": REPOSITORY_URL,
    "repository_ref": "main",
    "ami_id": IMAGE,
}

LISTEN_ADDRESS = "*:80"


def user_data(plan: Plan) -> str:
    """Return the script that each instance runs at its first start."""
    return base64.b64decode(plan.resources["module.web_servers.aws_launch_template.web_server"]["user_data"]).decode()
