"""The profiles are valid once their placeholders are filled in."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from infrastructure.test_variables import CERTIFICATE, REQUIRED
from infrastructure.variable_rules import defaults_of, errors_of_each
from support.repository.cloudformation import Template, parameters_of
from support.repository.files import REPOSITORY
from support.repository.git import git

SIDES = ("backend", "frontend")

# Values for the placeholders.
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

# Placeholders of the prod profile only.
NOT_IN_STAGING = {"notification_email", "api_throttling_rate_limit", "api_throttling_burst_limit"}


def profile_of(side: str, environment: str) -> Path:
    return REPOSITORY / f"terraform-{side}" / "profiles" / f"{environment}.tfvars"


def settings_of(profile: Path) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in re.findall(r"(?m)^(\w+) += (.+)$", profile.read_text())}


@pytest.mark.parametrize("side", SIDES)
def test_profile_is_rejected_until_each_placeholder_is_filled_in(side: str, tmp_path: Path) -> None:
    profiles = {path.stem: settings_of(path) for path in REPOSITORY.glob(f"terraform-{side}/profiles/*.tfvars")}
    assert profiles.keys() == {"dev", "prod", *(["staging"] if side == "backend" else [])}
    assert {name for each in profiles.values() for name in each} <= defaults_of(f"terraform-{side}").keys()
    expected = {"dev": set(), "staging": FILLED_IN[side].keys() - NOT_IN_STAGING, "prod": FILLED_IN[side].keys()}
    accepted, rejected = [{**profiles["dev"], **WITHOUT_DEFAULT[side]}], []
    for environment, profile in profiles.items():
        placeholders = [name for name, value in profile.items() if value in ("FILL IN", ["FILL IN"])]
        assert set(placeholders) == expected[environment]
        accepted.append({**WITHOUT_DEFAULT[side], **profile, **FILLED_IN[side]})
        rejected += [(name, {**accepted[-1], name: profile[name]}) for name in placeholders]
    errors = errors_of_each(f"terraform-{side}", [*accepted, *(values for _, values in rejected)], tmp_path)
    assert errors[: len(accepted)] == [[]] * len(accepted)
    for (name, _), found in zip(rejected, errors[len(accepted) :], strict=True):
        assert len(found) == 1, found
        assert re.search(rf"\b{name}\b|e-mail address|ARN", found[0]), name


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_cloudformation_parameters_equal_the_terraform_profile(environment: str) -> None:
    path = REPOSITORY / "cloudformation" / "parameters" / f"{environment}.json"
    # The format of `aws cloudformation deploy --parameter-overrides file://...`.
    parameters = json.loads(path.read_text())["Parameters"]
    settings = settings_of(profile_of("backend", environment))
    assert settings.get("processing_reserved_concurrency") in (None, settings.get("processing_maximum_concurrency"))
    assert parameters == parameters_of({"notification_email": "FILL IN", **settings})
    template = Template.read()
    placeholders = [name for name, value in parameters.items() if value == "FILL IN"]
    advice = [template.document["Parameters"][name]["ConstraintDescription"] for name in placeholders]
    assert sorted(template.rejections(**parameters)) == sorted(advice), "only the placeholders must be rejected"


def test_git_tracks_profiles_and_ignores_personal_values(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / ".gitignore", tmp_path)
    git(tmp_path, "init", "--quiet").check_returncode()
    tracked = [f"profiles/{environment}.tfvars" for environment in ("dev", "staging", "prod")]
    tracked += ["backend.tf", "profiles/prod.s3.tfbackend"]
    ignored = ["terraform.tfvars", "prod.tfvars", "profiles/mine.tfvars", "terraform.tfstate", ".terraform/state"]
    for side in SIDES:
        paths = {name: f"terraform-{side}/{name}" for name in [*tracked, *ignored]}
        ran = git(tmp_path, "check-ignore", "--no-index", *paths.values())
        assert ran.stdout.splitlines() == [paths[name] for name in ignored]


def test_prod_profile_protects_orders_and_reserves_executions() -> None:
    # test_backend_plan.py and test_parity.py show the effect of each variable.
    settings = settings_of(profile_of("backend", "prod"))
    assert settings["deletion_protection_enabled"] is True
    assert settings["log_retention_days"] == 365
    assert settings["submission_reserved_concurrency"] >= 50
    assert settings["processing_reserved_concurrency"] >= settings["processing_maximum_concurrency"]
    assert settings["cors_allowed_origins"] == ["FILL IN"], "browsers place orders from the storefront only"
    assert settings["no_orders_alarm_minutes"] == 1440
    assert "completed_order_email" not in settings
