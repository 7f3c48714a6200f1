"""Every value that would lose orders or money is rejected, with a message that states what to choose."""

from pathlib import Path
from typing import Any

import pytest

from infrastructure.variable_rules import Case, cases, errors_of_each, rules_of
from support.deployment.terraform import Diagnostic, TerraformRoot

REQUIRED = {"notification_email": "operations@example.com"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
ISSUER = {"jwt_issuer": "https://login.example.com"}
DOMAIN = {"api_domain_name": "api.example.com", "api_certificate_arn": CERTIFICATE}
EMAIL = "Give one complete e-mail address"
RATES = [-1, 0, 0.5, 10001]
BURSTS = [-1, 0, 1.5, 5001]

# Invalid values by variable and advice. "|" separates strings; every list of strings begins with the empty one.
REFUSED: list[Case] = [
    *cases("project", "2 to 25 lower-case letters", f"|a|Shop|1shop|shop-|my--shop|my_shop|shop\n|{'s' * 26}"),
    *cases("environment", '"dev", "staging" or "prod"', "|production|Dev|dev "),
    *cases("aws_region", 'such as "eu-central-1"', "|Ireland|eu-west-1a|eu"),
    *cases(
        "kms_key_arn",
        "Give the ARN of a KMS key",
        f"|alias/orders|1234abcd-12ab-34cd-56ef-1234567890ab|arn:aws:kms:eu-west-1:123456789012:alias/orders|*|{KEY}/*",
    ),
    *cases(
        "permissions_boundary_arn",
        "Give the ARN of a managed IAM policy",
        "|Boundary|arn:aws:iam::123456789012:role/Boundary",
    ),
    Case("notification_email", None, EMAIL),
    *cases(
        "notification_email",
        EMAIL,
        "|operations|operations@example|@example.com|a@example.com, b@example.com|operations@example.com\n"
        "|Operations <operations@example.com>|operations@example..com",
    ),
    *cases("completed_order_email", EMAIL, "|nobody|sales@example|sales@example.com\n"),
    Case("completed_order_email", "operations@example.com", "alarms would no longer arrive"),
    Case("completed_order_email", "Operations@EXAMPLE.com", "alarms would no longer arrive"),
    *cases(
        "alerts_https_endpoint",
        "an address that starts with https://",
        "|https://|http://events.example.com|https://a b|https:///sns|https://a/#x|https://a\n",
    ),
    *cases("lambda_architecture", '"arm64" or "x86_64"', "|aarch64|amd64|x86-64|ARM64"),
    *cases("lambda_zip_path", "Give the path of a .zip file", "|dist|orders.tar.gz", lambda_architecture="arm64"),
    *(
        Case("lambda_zip_path", f"../dist/orders-{built}.zip", "for the other processor", {"lambda_architecture": run})
        for built, run in (("x86_64", "arm64"), ("arm64", "x86_64"))
    ),
    *cases("processing_timeout_seconds", "Below 2, a cold start cannot finish", [-1, 0, 1, 2.5, 901]),
    *cases("processing_maximum_concurrency", "from 2 to 1000", [-1, 0, 1, 2.5, 1001]),
    *cases("processing_batch_window_seconds", "from 0 to 20", [-1, 0.5, 21]),
    *cases(
        "processing_reserved_concurrency",
        "at least processing_maximum_concurrency",
        [-1, 0, 9, 10.5],
        processing_maximum_concurrency=10,
    ),
    *cases("notification_parallelization_factor", "from 1 to 10", [-1, 0, 1.5, 11]),
    *cases("submission_reserved_concurrency", "with 0 every order is refused", [-1, 0, 1.5]),
    Case("cors_allowed_origins", [], "Name at least one origin"),
    *(
        Case(case.variable, [case.value], case.advice)
        for case in cases(
            "cors_allowed_origins",
            "scheme://host[:port]",
            "|shop.example.com|https://shop.example.com/|https://shop.example.com/orders|https://Shop.example.com|null"
            "|https://shop.example.com:|https://*.example.com|https://shop.example.com\n|https://a.com,https://b.com",
        )
    ),
    Case("cors_allowed_origins", ["https://shop.example.com", "shop"], "scheme://host[:port]"),
    *cases(
        "jwt_issuer",
        "Give the issuer as an https:// address",
        "|login.example.com|http://login.example.com|https://|https://login.example.com |https://login.example.com\n"
        "|https://login.example.com/?tenant=shop|https://login.example.com/#shop|https://user@login.example.com",
        jwt_audience=["till"],
    ),
    Case("jwt_issuer", "https://login.example.com", "Name at least one application"),
    Case("jwt_audience", ["till"], "no token is required"),
    *(Case("jwt_audience", [value], "without spaces and commas", ISSUER) for value in ("", " ", "shop,till", "shop\n")),
    *cases(
        "jwt_customer_claim",
        "Name a claim of 1 to 50",
        f"|customer id|sub\n|$.sub|{'c' * 51}",
        **ISSUER,
        jwt_audience=["till"],
    ),
    Case("jwt_customer_claim", "email", "no claim is"),
    *cases(
        "api_domain_name",
        "Give one complete name",
        "|api|*.example.com|API.example.com|https://api.example.com|api.example.com/|a.b.c\n",
        api_certificate_arn=CERTIFICATE,
    ),
    Case("api_domain_name", "api.example.com", "only with its certificate"),
    *cases(
        "api_certificate_arn",
        "Give the ARN of a certificate",
        f"|1234abcd-12ab-34cd-56ef-1234567890ab|{CERTIFICATE.replace(':acm:', ':iam:')}|{CERTIFICATE}\n",
        api_domain_name="api.example.com",
    ),
    Case("api_certificate_arn", CERTIFICATE, "the certificate is not used"),
    *cases(
        "api_hosted_zone_id",
        "Give the ID of a hosted zone",
        "|example.com|/hostedzone/Z0123456789ABCDEFGHIJ|Z0123\n",
        **DOMAIN,
    ),
    Case("api_hosted_zone_id", "Z0123456789ABCDEFGHIJ", "no record is created"),
    *cases("api_throttling_rate_limit", "with 0 every order is refused", RATES),
    *cases("api_throttling_burst_limit", "with 0 every order is refused", BURSTS),
    *cases("submission_throttling_rate_limit", "with 0 every order is refused", RATES),
    *cases("submission_throttling_burst_limit", "with 0 every order is refused", BURSTS),
    *cases("status_throttling_rate_limit", "with 0 no customer can follow an order", RATES),
    *cases("status_throttling_burst_limit", "with 0 no customer can follow an order", BURSTS),
    *cases("log_retention_days", "Choose one of CloudWatch's retention periods", [-1, 0, 2, 31, 10000]),
    *cases(
        "runbook_url",
        "Give an https address",
        "|runbook.md|http://wiki.example.com/r|https://|https://wiki.example.com/r#alarms|https://wiki.example.com/a b"
        f"|https://wiki.example.com/r\n|https://{'r' * 293}",
    ),
    *cases("latency_alarm_threshold_ms", "Below 100, a healthy API raises the alarm", [-1, 0, 99, 29001]),
    *cases("no_orders_alarm_minutes", "Below 5, any pause raises the alarm", [-1, 0, 4, 7.5, 1441]),
    *cases("orders_alarm_per_minute", "of at least 1", [-1, 0]),
    *cases("requests_alarm_per_minute", "of at least 1", [-1, 0]),
    *cases("client_errors_alarm_per_minute", "of at least 1", [-1, 0]),
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
        "processing_batch_window_seconds": 0,
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
        "processing_batch_window_seconds": 20,
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
def errors(tmp_path_factory: pytest.TempPathFactory) -> list[list[Diagnostic]]:
    """The errors of each rejected case, then of each accepted set. Variables that a set omits are null."""
    sets = [{**REQUIRED, **each} for each in [*(case.values for case in REFUSED), *ACCEPTED, {}]]
    return errors_of_each("terraform-backend", sets, tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_invalid_value_is_rejected_with_one_error(case: Case, errors: list[list[Diagnostic]]) -> None:
    [error] = errors[REFUSED.index(case)]
    assert case.advice in error


@pytest.mark.parametrize("number", [-3, -2, -1], ids=["smallest", "largest", "null"])
def test_extreme_values_are_accepted(number: int, errors: list[list[Diagnostic]]) -> None:
    assert errors[number] == []


def test_only_notification_email_is_required(tmp_path: Path) -> None:
    rules = rules_of("terraform-backend", tmp_path)
    assert rules.errors({}) != []
    assert rules.errors(REQUIRED) == []


def test_missing_package_is_reported_with_the_build_command(backend: TerraformRoot, variables: dict[str, Any]) -> None:
    chosen = {"notification_email": variables["notification_email"], "lambda_architecture": "x86_64"}
    [error] = backend.errors(chosen)
    assert "no package of the functions at ../dist/orders-x86_64.zip" in error
    assert "make build TARGET=x86_64" in error
