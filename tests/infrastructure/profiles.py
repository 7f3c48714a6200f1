"""The profiles, and values for their placeholders."""

import json
import re
from pathlib import Path
from typing import Any

from infrastructure.test_variables import CERTIFICATE, REQUIRED
from support.repository.files import REPOSITORY

WITHOUT_DEFAULT = {side: REQUIRED[f"terraform-{side}"] for side in ("backend", "frontend")}
FILLED_IN: dict[str, dict[str, Any]] = {
    "backend": {
        **WITHOUT_DEFAULT["backend"],
        "cors_allowed_origins": ["https://shop.example.com"],
        "api_throttling_rate_limit": 20,
        "api_throttling_burst_limit": 40,
    },
    "frontend": {
        **WITHOUT_DEFAULT["frontend"],
        "alerts_topic_arn": "arn:aws:sns:eu-west-1:123456789012:order-processing-prod-alerts",
        "repository_ref": "1a2b3c4d" * 5,
        "certificate_arn": CERTIFICATE,
        "domain_name": "shop.example.com",
    },
}


def profile_of(side: str, environment: str) -> Path:
    return REPOSITORY / f"terraform-{side}" / "profiles" / f"{environment}.tfvars"


def settings_of(profile: Path) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in re.findall(r"(?m)^(\w+) += (.+)$", profile.read_text())}
