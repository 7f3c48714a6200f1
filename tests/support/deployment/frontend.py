"""Variables for tests that plan the frontend, and its user data."""

import base64
from typing import Any

from support.deployment.terraform import Plan

API_URL = "http://abc.execute-api.localhost:4566"
REPOSITORY_URL = "https://github.com/example/shop.git"

# The emulator lacks Debian's images.
IMAGE = "ami-0123456789abcdef0"

VARIABLES: dict[str, Any] = {
    "api_url": API_URL,
    "repository_url": REPOSITORY_URL,
    "repository_ref": "main",
    "ami_id": IMAGE,
}

LISTEN_ADDRESS = "*:80"


def user_data(plan: Plan) -> str:
    return base64.b64decode(plan.resources["module.web_servers.aws_launch_template.web_server"]["user_data"]).decode()
