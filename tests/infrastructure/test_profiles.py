"""The profiles and example files are valid once their placeholders are filled in."""

import json
import re
import shutil
from pathlib import Path

import pytest

from infrastructure.profiles import FILLED_IN, NOT_IN_DEV, profile_of, settings_of
from infrastructure.variable_rules import declared_variables, rules_of
from support.deployment.terraform import Plan, Resources, TerraformRoot
from support.repository.cloudformation import Template, parameters_of
from support.repository.files import REPOSITORY
from support.repository.git import git

SIDES = ("backend", "frontend")

# Placeholders of the prod profile only.
NOT_IN_STAGING = {"notification_email", "api_throttling_rate_limit", "api_throttling_burst_limit"}


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rules(side: str, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    return rules_of(f"terraform-{side}", tmp_path_factory.mktemp("terraform"))


def test_dev_profile_needs_only_settings_without_default(side: str, rules: TerraformRoot) -> None:
    assert rules.errors(NOT_IN_DEV[side], profile_of(side, "dev")) == []


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_profile_is_rejected_until_each_placeholder_is_filled_in(
    side: str, rules: TerraformRoot, environment: str
) -> None:
    profile = profile_of(side, environment)
    if (side, environment) == ("frontend", "staging"):
        assert not profile.exists()
        return
    placeholders = set(re.findall(r'(?m)^(\w+) += .*"FILL IN"', profile.read_text()))
    assert placeholders == FILLED_IN[side].keys() - (NOT_IN_STAGING if environment == "staging" else set())
    for name in placeholders:
        errors = rules.errors({other: value for other, value in FILLED_IN[side].items() if other != name}, profile)
        assert len(errors) == 1, errors
        assert re.search(rf"\b{name}\b|e-mail address|ARN", errors[0]), name
    assert rules.errors(FILLED_IN[side], profile) == []


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_cloudformation_parameters_equal_the_terraform_profile(environment: str) -> None:
    path = REPOSITORY / "cloudformation" / "parameters" / f"{environment}.json"
    # The format of `aws cloudformation deploy --parameter-overrides file://...`.
    parameters = json.loads(path.read_text())["Parameters"]
    settings = settings_of(profile_of("backend", environment))
    assert settings.get("processing_reserved_concurrency") in (None, settings.get("processing_maximum_concurrency"))
    assert parameters == parameters_of({"notification_email": "FILL IN", **settings})
    declared = Template.read().document["Parameters"]
    assert list(parameters) == [name for name in declared if name in parameters], (
        "parameters must be in the template's order"
    )
    for name, value in parameters.items():
        pattern = declared[name].get("AllowedPattern")
        if value == "FILL IN":
            assert declared[name]["Type"] == "Number" or not re.fullmatch(pattern, value), f"{name} must be rejected"
        elif pattern:
            assert re.fullmatch(pattern, value), name


def test_example_file_is_valid_with_and_without_its_options(side: str, rules: TerraformRoot, tmp_path: Path) -> None:
    text = (REPOSITORY / f"terraform-{side}" / "terraform.tfvars.example").read_text()
    offered = re.sub(r"(?m)^# (?=\w+ += )", "", text)
    named = re.findall(r"(?m)^(\w+) += ", offered)
    assert set(named) <= set(declared_variables(f"terraform-{side}"))
    assert len(named) == len(set(named))
    for content in (text, offered):
        path = tmp_path / "terraform.tfvars"
        path.write_text(content)
        assert rules.errors({}, path) == []


def test_git_tracks_profiles_and_ignores_personal_values(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / ".gitignore", tmp_path)
    git(tmp_path, "init", "--quiet").check_returncode()
    tracked = [f"profiles/{environment}.tfvars" for environment in ("dev", "staging", "prod")]
    tracked += ["backend.tf", "profiles/prod.s3.tfbackend"]
    ignored = ["terraform.tfvars", "prod.tfvars", "profiles/mine.tfvars", "terraform.tfstate", ".terraform/state"]
    for side in SIDES:
        paths = {name: f"terraform-{side}/{name}" for name in [*tracked, *ignored]}
        answer = git(tmp_path, "check-ignore", "--no-index", *paths.values())
        assert answer.stdout.splitlines() == [paths[name] for name in ignored]


@pytest.fixture(scope="module")
def prod(backend_plans: dict[str, Plan]) -> Resources:
    return backend_plans["prod_profile"].resources


def test_prod_is_protected_and_keeps_logs_for_a_year(prod: Resources) -> None:
    assert prod["aws_dynamodb_table.orders"]["deletion_protection_enabled"] is True
    assert {group["retention_in_days"] for group in prod.of_type("aws_cloudwatch_log_group").values()} == {365}


def test_prod_reserves_concurrency_for_orders(prod: Resources) -> None:
    submission, processing = (
        prod[f"module.{function}.aws_lambda_function.this"]["reserved_concurrent_executions"]
        for function in ("submission", "processing")
    )
    [scaling] = prod["aws_lambda_event_source_mapping.orders"]["scaling_config"]
    assert submission >= 50
    assert processing >= scaling["maximum_concurrency"]


def test_prod_accepts_browser_orders_from_the_storefront_only(prod: Resources) -> None:
    [cors] = prod["aws_apigatewayv2_api.orders"]["cors_configuration"]
    assert list(cors["allow_origins"]) == ["https://shop.example.com"]


def test_prod_mails_every_alarm_and_no_order(prod: Resources) -> None:
    alarms = {alarm["alarm_name"] for alarm in prod.of_type("aws_cloudwatch_metric_alarm").values()}
    assert "order-processing-prod-no-orders" in alarms
    assert len(alarms) == 23
    subscribed = [each["endpoint"] for each in prod.of_type("aws_sns_topic_subscription").values()]
    assert subscribed == ["operations@example.com"]
