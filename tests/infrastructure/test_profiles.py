"""The profiles of whole environments and the examples to copy: each is valid, or names the settings to fill in."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack.environment import without_personal_choices
from support.deployment.terraform import Plan, Resources, TerraformRoot
from support.repository.cloudformation import Template
from support.repository.files import REPOSITORY
from support.repository.git import git
from write_configuration import parameter_of

SIDES = ("backend", "frontend")

# What a person has to say of each environment.
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

# Given on the command line or fixed by the staging profile, where the prod profile leaves it to the reader.
NOT_IN_PROFILE = {"notification_email", "api_throttling_rate_limit", "api_throttling_burst_limit"}


@dataclass(frozen=True)
class Side:
    """One of the two Terraform folders, and its variables without anything else."""

    name: str
    rules: TerraformRoot

    @property
    def folder(self) -> Path:
        return REPOSITORY / f"terraform-{self.name}"

    def profile(self, environment: str) -> Path:
        return self.folder / "profiles" / f"{environment}.tfvars"

    def profiles_to_fill_in(self) -> list[Path]:
        return [self.profile(environment) for environment in ("staging", "prod") if self.profile(environment).exists()]


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Side:
    source = tmp_path_factory.mktemp("source")
    shutil.copy(REPOSITORY / f"terraform-{request.param}" / "variables.tf", source)
    directory = tmp_path_factory.mktemp("terraform") / "variables"
    return Side(request.param, TerraformRoot(source, directory, without_personal_choices()))


def test_dev_profile_needs_only_personal_settings(side: Side) -> None:
    assert side.rules.errors(NOT_IN_DEV[side.name], side.profile("dev")) == []


def test_profile_is_refused_until_each_placeholder_is_filled_in(side: Side) -> None:
    for profile in side.profiles_to_fill_in():
        placeholders = set(re.findall(r'(?m)^(\w+) += .*"FILL IN"', profile.read_text()))
        assert placeholders == FILLED_IN[side.name].keys() - (NOT_IN_PROFILE if "staging" in profile.name else set())
        for missing in placeholders:
            given = {name: value for name, value in FILLED_IN[side.name].items() if name != missing}
            errors = side.rules.errors(given, profile)
            assert len(errors) == 1, f"{missing} is refused once: {errors}"
            assert re.search(rf"\b{missing}\b|e-mail address|ARN", errors[0]), missing
        assert side.rules.errors(FILLED_IN[side.name], profile) == []


def _settings_of(profile: Path) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in re.findall(r"(?m)^(\w+) += (.+)$", profile.read_text())}


def _as_parameters(settings: dict[str, Any]) -> dict[str, str]:
    """Return Terraform's settings as parameters of the template; reservations are a choice there."""
    settings = {"notification_email": "FILL IN", **settings}
    reserved = settings.pop("processing_reserved_concurrency", None)
    assert reserved in (None, settings.get("processing_maximum_concurrency"))
    texts = {
        parameter_of(name): ",".join(value) if isinstance(value, list) else str(value)
        for name, value in settings.items()
    }
    texts |= {"ProcessingConcurrencyReserved": "true"} if reserved else {}
    return {name: text.lower() if text in ("True", "False") else text for name, text in texts.items()}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_cloudformation_parameters_equal_the_terraform_profile(environment: str) -> None:
    path = REPOSITORY / "cloudformation" / "parameters" / f"{environment}.json"
    # In the form that `aws cloudformation deploy --parameter-overrides file://...` reads.
    parameters = json.loads(path.read_text())["Parameters"]
    profile = REPOSITORY / "terraform-backend" / "profiles" / f"{environment}.tfvars"
    assert parameters == _as_parameters(_settings_of(profile))
    declared = Template.read().document["Parameters"]
    assert list(parameters) == [name for name in declared if name in parameters], "in the template's order"
    for name, value in parameters.items():
        pattern = declared[name].get("AllowedPattern")
        if value == "FILL IN":
            assert declared[name]["Type"] == "Number" or not re.fullmatch(pattern, value), f"{name} is refused"
        elif pattern:
            assert re.fullmatch(pattern, value), name


def test_the_example_to_copy_is_true(side: Side, tmp_path: Path) -> None:
    text = (side.folder / "terraform.tfvars.example").read_text()
    offered = tmp_path / "offered.tfvars"
    offered.write_text(re.sub(r"(?m)^# (?=\w+ += )", "", text))
    declared = set(re.findall(r'(?m)^variable "(\w+)"', (side.folder / "variables.tf").read_text()))
    named = re.findall(r"(?m)^(\w+) += ", offered.read_text())
    assert set(named) <= declared
    assert len(named) == len(set(named)), "each once"
    assert side.rules.errors({}, offered) == [], "with all that it offers"
    as_it_is = tmp_path / "terraform.tfvars"
    as_it_is.write_text(text)
    assert side.rules.errors({}, as_it_is) == [], "and as it is"


def test_profiles_are_kept_in_git_and_personal_values_are_not(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / ".gitignore", tmp_path)
    git(tmp_path, "init", "--quiet").check_returncode()
    kept = [
        *(
            f"terraform-{side}/profiles/{environment}.tfvars"
            for side in SIDES
            for environment in ("dev", "staging", "prod")
        ),
        *(f"terraform-{side}/{name}" for side in SIDES for name in ("backend.tf", "profiles/prod.s3.tfbackend")),
    ]
    ignored = [
        "terraform-backend/terraform.tfvars",
        "terraform-backend/prod.tfvars",
        "terraform-backend/profiles/mine.tfvars",
        "terraform-backend/terraform.tfstate",
        "terraform-frontend/.terraform/terraform.tfstate",
    ]
    answer = git(tmp_path, "check-ignore", "--no-index", *kept, *ignored)
    assert answer.stdout.splitlines() == ignored


# What prod has, whatever the words in the file


@pytest.fixture(scope="module")
def prod_plan(backend: TerraformRoot, variables: dict[str, Any]) -> Plan:
    profile = REPOSITORY / "terraform-backend" / "profiles" / "prod.tfvars"
    return backend.plan({**variables, **FILLED_IN["backend"]}, profile=profile)


@pytest.fixture(scope="module")
def prod(prod_plan: Plan) -> Resources:
    return prod_plan.resources


def test_in_prod_the_orders_are_protected_and_logs_are_kept_for_a_year(prod: Resources) -> None:
    assert prod["aws_dynamodb_table.orders"]["deletion_protection_enabled"] is True
    kept = {group["retention_in_days"] for group in prod.of_type("aws_cloudwatch_log_group").values()}
    assert kept == {365}


def test_in_prod_no_other_function_can_starve_the_orders(prod: Resources) -> None:
    reserved = {
        function: prod[f"module.{function}.aws_lambda_function.this"]["reserved_concurrent_executions"]
        for function in ("submission", "processing")
    }
    [scaling] = prod["aws_lambda_event_source_mapping.orders"]["scaling_config"]
    assert reserved["submission"] >= 50
    assert reserved["processing"] >= scaling["maximum_concurrency"]


def test_in_prod_only_the_storefront_may_order_from_a_browser(prod: Resources) -> None:
    [cors] = prod["aws_apigatewayv2_api.orders"]["cors_configuration"]
    assert list(cors["allow_origins"]) == ["https://shop.example.com"]


def test_in_prod_every_alarm_is_there_and_somebody_is_told(prod: Resources) -> None:
    alarms = {alarm["alarm_name"] for alarm in prod.of_type("aws_cloudwatch_metric_alarm").values()}
    assert "order-processing-prod-no-orders" in alarms, "also that nothing happens"
    assert len(alarms) == 23
    subscribed = [each["endpoint"] for each in prod.of_type("aws_sns_topic_subscription").values()]
    assert subscribed == ["operations@example.com"], "of alarms, and not of every order"
