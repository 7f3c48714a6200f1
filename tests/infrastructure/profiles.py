"""The profiles, and values for their placeholders."""

import json
import re
from pathlib import Path
from typing import Any

from support.repository.files import REPOSITORY

# Settings without a default.
NOT_IN_DEV: dict[str, dict[str, Any]] = {
    "backend": {"notification_email": "operations@example.com"},
    "frontend": {
        "api_url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
        "repository_url": "https://github.com/example/shop.git",
        "repository_ref": "v1.2.0",
    },
}
FILLED_IN: dict[str, dict[str, Any]] = {
    "backend": {
        **NOT_IN_DEV["backend"],
        "cors_allowed_origins": ["https://shop.example.com"],
        "api_throttling_rate_limit": 20,
        "api_throttling_burst_limit": 40,
    },
    "frontend": {
        **NOT_IN_DEV["frontend"],
        "alerts_topic_arn": "arn:aws:sns:eu-west-1:123456789012:order-processing-prod-alerts",
        "repository_ref": "1a2b3c4d" * 5,
        "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
        "domain_name": "shop.example.com",
    },
}


def profile_of(side: str, environment: str) -> Path:
    return REPOSITORY / f"terraform-{side}" / "profiles" / f"{environment}.tfvars"


def settings_of(profile: Path) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in re.findall(r"(?m)^(\w+) += (.+)$", profile.read_text())}
