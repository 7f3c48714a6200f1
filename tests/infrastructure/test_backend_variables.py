"""Every value that would cost an order or money is refused, with a message that says what to choose."""

import re
from typing import Any

import pytest

from infrastructure.variable_rules import Case, assert_refused, rules_of
from support.deployment.terraform import TerraformRoot
from support.repository.files import REPOSITORY

REQUIRED = {"notification_email": "operations@example.com"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARM64 = {"lambda_architecture": "arm64"}
TILL = {"jwt_audience": ["till"]}
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
API_DOMAIN = {"api_domain_name": "api.example.com", "api_certificate_arn": CERTIFICATE}
TEN_BATCHES = {"processing_maximum_concurrency": 10}

REFUSED = [
    *(
        Case("project", value, "2 to 25 lower-case letters")
        for value in ("", "a", "Shop", "1shop", "shop-", "my--shop", "my_shop", "s" * 26, "shop\n")
    ),
    *(Case("environment", value, '"dev", "staging" or "prod"') for value in ("", "production", "Dev", "dev ")),
    *(Case("aws_region", value, 'such as "eu-central-1"') for value in ("", "Ireland", "eu-west-1a", "eu")),
    *(
        Case("kms_key_arn", value, "Give the ARN of a KMS key")
        for value in (
            "",
            "alias/orders",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-west-1:123456789012:alias/orders",
            f"{KEY}/*",
            "*",
        )
    ),
    *(
        Case("permissions_boundary_arn", value, "Give the ARN of a managed IAM policy")
        for value in ("", "Boundary", "arn:aws:iam::123456789012:role/Boundary")
    ),
    *(
        Case("notification_email", value, "Give one complete e-mail address")
        for value in (
            None,
            "",
            "operations",
            "operations@example",
            "@example.com",
            "a@example.com, b@example.com",
            "Operations <operations@example.com>",
            "operations@example.com\n",
            "operations@example..com",
        )
    ),
    *(
        Case("completed_order_email", value, "Give one complete e-mail address")
        for value in ("", "nobody", "sales@example", "sales@example.com\n")
    ),
    Case("completed_order_email", "operations@example.com", "alarms would no longer arrive"),
    *(
        Case("alerts_https_endpoint", value, "an address that starts with https://")
        for value in (
            "",
            "https://",
            "http://events.example.com",
            "https://a b",
            "https:///sns",
            "https://a/#x",
            "https://a\n",
        )
    ),
    *(
        Case("lambda_architecture", value, '"arm64" or "x86_64"')
        for value in ("", "aarch64", "amd64", "x86-64", "ARM64")
    ),
    *(Case("lambda_zip_path", value, "Give the path of a .zip file", ARM64) for value in ("", "dist", "orders.tar.gz")),
    Case("lambda_zip_path", "../dist/orders-x86_64.zip", "built for the other processor", ARM64),
    Case(
        "lambda_zip_path",
        "../dist/orders-arm64.zip",
        "built for the other processor",
        {"lambda_architecture": "x86_64"},
    ),
    *(
        Case("processing_timeout_seconds", value, "Below 2, a cold start cannot finish")
        for value in (-1, 0, 1, 2.5, 901)
    ),
    *(Case("processing_maximum_concurrency", value, "from 2 to 1000") for value in (-1, 0, 1, 2.5, 1001)),
    *(
        Case("processing_reserved_concurrency", value, "at least processing_maximum_concurrency", TEN_BATCHES)
        for value in (-1, 0, 9, 10.5)
    ),
    *(Case("notification_parallelization_factor", value, "from 1 to 10") for value in (-1, 0, 1.5, 11)),
    *(Case("submission_reserved_concurrency", value, "with 0 every order is refused") for value in (-1, 0, 1.5)),
    Case("cors_allowed_origins", [], "Name at least one origin"),
    *(
        Case("cors_allowed_origins", [value], "scheme://host[:port]")
        for value in (
            "",
            "shop.example.com",
            "https://shop.example.com/",
            "https://shop.example.com/orders",
            "https://Shop.example.com",
            "https://shop.example.com:",
            "https://*.example.com",
            "https://shop.example.com\n",
            "https://a.example.com,https://b.example.com",
            "null",
        )
    ),
    Case("cors_allowed_origins", ["https://shop.example.com", "shop"], "scheme://host[:port]"),
    *(
        Case("jwt_issuer", value, "Give the issuer as an https:// address", TILL)
        for value in (
            "",
            "login.example.com",
            "http://login.example.com",
            "https://",
            "https://login.example.com ",
            "https://login.example.com\n",
            "https://login.example.com/?tenant=shop",
            "https://login.example.com/#shop",
            "https://user@login.example.com",
        )
    ),
    Case("jwt_issuer", "https://login.example.com", "Name at least one application"),
    Case("jwt_audience", ["till"], "no token is required"),
    *(
        Case("jwt_audience", [value], "without spaces and commas", {"jwt_issuer": "https://login.example.com"})
        for value in ("", " ", "shop,till", "shop\n")
    ),
    *(
        Case(
            "jwt_customer_claim", value, "Name a claim of 1 to 50", {**TILL, "jwt_issuer": "https://login.example.com"}
        )
        for value in ("", "customer id", "sub\n", "$.sub", "c" * 51)
    ),
    Case("jwt_customer_claim", "email", "no claim is"),
    *(
        Case("api_domain_name", value, "Give one complete name", {"api_certificate_arn": CERTIFICATE})
        for value in (
            "",
            "api",
            "*.example.com",
            "API.example.com",
            "https://api.example.com",
            "api.example.com/",
            "a.b.c\n",
        )
    ),
    Case("api_domain_name", "api.example.com", "only with its certificate"),
    *(
        Case("api_certificate_arn", value, "Give the ARN of a certificate", {"api_domain_name": "api.example.com"})
        for value in (
            "",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            CERTIFICATE.replace(":acm:", ":iam:"),
            f"{CERTIFICATE}\n",
        )
    ),
    Case("api_certificate_arn", CERTIFICATE, "the certificate is not used"),
    *(
        Case("api_hosted_zone_id", value, "Give the ID of a hosted zone", API_DOMAIN)
        for value in ("", "example.com", "/hostedzone/Z0123456789ABCDEFGHIJ", "Z0123\n")
    ),
    Case("api_hosted_zone_id", "Z0123456789ABCDEFGHIJ", "no record is created"),
    *(Case("api_throttling_rate_limit", value, "with 0 every order is refused") for value in (-1, 0, 0.5, 10001)),
    *(Case("api_throttling_burst_limit", value, "with 0 every order is refused") for value in (-1, 0, 1.5, 5001)),
    *(
        Case(f"submission_throttling_{limit}", value, "with 0 every order is refused")
        for limit, values in {"rate_limit": (-1, 0, 0.5, 10001), "burst_limit": (-1, 0, 1.5, 5001)}.items()
        for value in values
    ),
    *(
        Case(f"status_throttling_{limit}", value, "with 0 no customer can follow an order")
        for limit, values in {"rate_limit": (-1, 0, 0.5, 10001), "burst_limit": (-1, 0, 1.5, 5001)}.items()
        for value in values
    ),
    *(
        Case("log_retention_days", value, "Choose one of CloudWatch's retention periods")
        for value in (-1, 0, 2, 31, 10000)
    ),
    *(
        Case("runbook_url", value, "Give an https address")
        for value in (
            "",
            "runbook.md",
            "http://wiki.example.com/runbook",
            "https://",
            "https://wiki.example.com/runbook#alarms",
            "https://wiki.example.com/the runbook",
            "https://wiki.example.com/runbook\n",
            f"https://{'r' * 293}",
        )
    ),
    *(
        Case("latency_alarm_threshold_ms", value, "Below 100, a healthy API raises the alarm")
        for value in (-1, 0, 99, 29001)
    ),
    *(Case("no_orders_alarm_minutes", value, "Below 5, any pause raises the alarm") for value in (-1, 0, 4, 7.5, 1441)),
    *(
        Case(f"{metric}_alarm_per_minute", value, "of at least 1")
        for metric in ("orders", "requests", "client_errors")
        for value in (-1, 0)
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    {
        "project": "os",
        "environment": "staging",
        "aws_region": "us-gov-west-1",
        "kms_key_arn": KEY.replace("arn:aws:", "arn:aws-us-gov:"),
        "permissions_boundary_arn": "arn:aws:iam::aws:policy/PowerUserAccess",
        "deletion_protection_enabled": False,
        "completed_order_email": "none",
        "lambda_architecture": "x86_64",
        "lambda_zip_path": "../dist/orders-x86_64.zip",
        "processing_timeout_seconds": 2,
        "processing_maximum_concurrency": 2,
        "processing_reserved_concurrency": 2,
        "submission_reserved_concurrency": 1,
        "notification_parallelization_factor": 1,
        "snap_start_enabled": True,
        "cors_allowed_origins": ["*"],
        "jwt_issuer": "https://a",
        "jwt_audience": ["a"],
        "jwt_customer_claim": "c",
        "api_domain_name": "a.io",
        "api_certificate_arn": CERTIFICATE.replace("arn:aws:", "arn:aws-us-gov:"),
        "api_throttling_rate_limit": 1,
        "api_throttling_burst_limit": 1,
        "submission_throttling_rate_limit": 1,
        "submission_throttling_burst_limit": 1,
        "status_throttling_rate_limit": 1,
        "status_throttling_burst_limit": 1,
        "log_retention_days": 1,
        "runbook_url": "https://r",
        "latency_alarm_threshold_ms": 100,
        "no_orders_alarm_minutes": 5,
        "orders_alarm_per_minute": 1,
        "requests_alarm_per_minute": 1,
        "client_errors_alarm_per_minute": 1,
        "alerts_https_endpoint": "https://a",
    },
    {
        "project": "a" * 25,
        "environment": "prod",
        "aws_region": None,
        "kms_key_arn": KEY.replace("1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab"),
        "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/teams/Boundary",
        "deletion_protection_enabled": True,
        "completed_order_email": "sales.orders+shop@mail.example.co.uk",
        "lambda_architecture": "arm64",
        "lambda_zip_path": "/somewhere/orders-local.zip",
        "processing_timeout_seconds": 900,
        "processing_maximum_concurrency": 1000,
        "processing_reserved_concurrency": 1000,
        "submission_reserved_concurrency": 1000,
        "notification_parallelization_factor": 10,
        "cors_allowed_origins": [
            "http://localhost:8080",
            "https://shop.example.com",
            "http://127.0.0.1:8080",
        ],
        "jwt_issuer": "https://login.example.com:8443/realms/Shop_1/",
        "jwt_audience": ["3n4b5urk1ft4fl3mg5e62d9ado", "https://api.shop.example.com/orders?v=1"],
        "jwt_customer_claim": "https://customers.shop-1.example.com/customer:id_1",
        "api_domain_name": f"{'a' * 63}.api-1.shop.example.com",
        "api_certificate_arn": CERTIFICATE,
        "api_hosted_zone_id": "Z0123456789ABCDEFGHIJ",
        "api_throttling_rate_limit": 10000,
        "api_throttling_burst_limit": 5000,
        "submission_throttling_rate_limit": 10000,
        "submission_throttling_burst_limit": 5000,
        "status_throttling_rate_limit": 10000,
        "status_throttling_burst_limit": 5000,
        "log_retention_days": 3653,
        "runbook_url": f"https://{'r' * 292}",
        "latency_alarm_threshold_ms": 29000,
        "no_orders_alarm_minutes": 1440,
        "orders_alarm_per_minute": 1000000,
        "requests_alarm_per_minute": 1000000,
        "client_errors_alarm_per_minute": 1000000,
        "alerts_https_endpoint": "https://user:secret@events.example.com:8443/sns/1?key=2",
    },
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    return rules_of("terraform-backend", tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_wrong_value_is_refused_with_what_to_choose_instead(case: Case, rules: TerraformRoot) -> None:
    assert_refused(case, rules, REQUIRED)


@pytest.mark.parametrize("values", ACCEPTED, ids=["smallest", "largest"])
def test_the_smallest_and_largest_sensible_values_are_accepted(values: dict[str, Any], rules: TerraformRoot) -> None:
    errors = rules.errors({**REQUIRED, **values})
    assert errors == [], "these values make sense"


def test_null_means_the_default_as_from_a_module_that_passes_its_own_variables_on(rules: TerraformRoot) -> None:
    declared = re.findall(r'(?m)^variable "(\w+)"', (REPOSITORY / "terraform-backend" / "variables.tf").read_text())
    values = {**dict.fromkeys(declared), **REQUIRED}
    assert rules.errors(values) == [], "null is no choice, so the default holds"


def test_completed_orders_address_is_compared_regardless_of_case(rules: TerraformRoot) -> None:
    case = Case("completed_order_email", REQUIRED["notification_email"].upper(), "alarms would no longer arrive")
    assert_refused(case, rules, REQUIRED)


def test_only_the_address_for_alarms_has_to_be_given(rules: TerraformRoot) -> None:
    assert rules.errors({}) != [], "without an address nobody would hear of a failed order"
    assert rules.errors(REQUIRED) == [], "the rest has defaults"


def test_a_missing_package_is_said_once_with_the_command_that_builds_it(
    backend: TerraformRoot, variables: dict[str, Any]
) -> None:
    errors = backend.errors({**variables, "lambda_zip_path": "/nowhere/orders-arm64.zip"})
    assert len(errors) == 1, f"one error and not one for each function: {errors}"
    assert "no package of the functions at /nowhere/orders-arm64.zip" in errors[0]
    assert "make build TARGET=arm64" in errors[0]


def test_the_package_is_looked_for_under_the_name_of_its_processor(
    backend: TerraformRoot, variables: dict[str, Any]
) -> None:
    chosen = {**variables, "lambda_architecture": "x86_64"}
    del chosen["lambda_zip_path"]
    errors = backend.errors(chosen)
    assert "no package of the functions at ../dist/orders-x86_64.zip" in errors[0]
