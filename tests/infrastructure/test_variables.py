"""Every value that would lose orders, customers or money is rejected, with a message that states what to choose."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infrastructure.variable_rules import Case, defaults_of, errors_of_each
from support.deployment.terraform import TerraformRoot

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:eu-west-1:123456789012:key/{ID}"
CERTIFICATE = f"arn:aws:acm:eu-west-1:123456789012:certificate/{ID}"
GOV_CERTIFICATE = CERTIFICATE.replace("arn:aws:", "arn:aws-us-gov:")
ISSUER = {"jwt_issuer": "https://login.example.com"}
SHOP = {"domain_name": "shop.example.com"}
THROTTLED = ("api", "submission", "status")
SUBNETS = [f"subnet-0123456789abcdef{number}" for number in range(4)]
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "load_balancer_subnet_ids": SUBNETS[:2],
    "instance_subnet_ids": SUBNETS[2:],
}
PROJECTS = f"|a|Shop|1shop|shop-|my--shop|my_shop|shop\n|{'s' * 26}"
RUNBOOKS = (
    "|runbook.md|http://wiki.example.com/r|https://|https://wiki.example.com/r#alarms|https://wiki.example.com/a b"
    f"|https://wiki.example.com/r\n|https://{'r' * 293}"
)

# Other values without which an invalid value would also violate a second rule.
OTHERS: dict[str, dict[str, Any]] = {
    "processing_reserved_concurrency": {"processing_maximum_concurrency": 10},
    "jwt_issuer": {"jwt_audience": ["till"]},
    "jwt_audience": ISSUER,
    "jwt_customer_claim": {**ISSUER, "jwt_audience": ["till"]},
    "api_domain_name": {"api_certificate_arn": CERTIFICATE},
    "api_certificate_arn": {"api_domain_name": "api.example.com"},
    "api_hosted_zone_id": {"api_domain_name": "api.example.com", "api_certificate_arn": CERTIFICATE},
    "certificate_arn": SHOP,
    "hosted_zone_id": SHOP,
}


def cases(invalid: Mapping[tuple[str, str], str | Sequence[Any]]) -> list[Case]:
    """Return a case for each invalid value by variable and advice; "|" separates strings."""
    return [
        Case(variable, value, advice, OTHERS.get(variable, {}))
        for (variable, advice), values in invalid.items()
        for value in (values.split("|") if isinstance(values, str) else values)
    ]


BOTH: dict[tuple[str, str], str | Sequence[Any]] = {
    ("project", "2 to 25 lower-case letters"): PROJECTS,
    ("environment", '"dev", "staging" or "prod"'): "|production|Dev|dev ",
    ("aws_region", 'such as "eu-central-1"'): "|Ireland|eu-west-1a",
    ("permissions_boundary_arn", "Give the ARN of a managed IAM policy"): "|arn:aws:iam::123456789012:role/Boundary",
    ("log_retention_days", "Choose one of CloudWatch's retention periods"): [0, 31, 10000],
    ("runbook_url", "Give an https address"): RUNBOOKS,
}
BACKEND_REJECTED: list[Case] = [
    *cases(
        {
            **BOTH,
            ("kms_key_arn", "Give the ARN of a KMS key"): (
                f"|alias/orders|{ID}|arn:aws:kms:eu-west-1:123456789012:alias/orders|*|{KEY}/*"
            ),
            ("notification_email", "Give one complete e-mail address"): (
                "|operations|operations@example|@example.com|a@example.com, b@example.com|operations@example.com\n"
                "|Operations <operations@example.com>|operations@example..com"
            ),
            ("completed_order_email", "Give one complete e-mail address"): "|nobody|sales@example|sales@example.com\n",
            ("completed_order_email", "alarms would no longer"): "operations@example.com|Operations@EXAMPLE.com",
            ("alerts_https_endpoint", "an address that starts with https://"): (
                "|https://|http://events.example.com|https://a b|https:///sns|https://a/#x|https://a\n"
            ),
            ("lambda_architecture", '"arm64" or "x86_64"'): "|aarch64|amd64|x86-64|ARM64",
            ("lambda_zip_path", "Give the path of a .zip file"): "|dist|orders.tar.gz",
            ("processing_timeout_seconds", "Below 2, a cold start cannot finish"): [0, 1, 2.5, 901],
            ("processing_maximum_concurrency", "from 2 to 1000"): [1, 2.5, 1001],
            ("processing_batch_window_seconds", "from 0 to 20"): [-1, 0.5, 21],
            ("processing_reserved_concurrency", "at least processing_maximum_concurrency"): [0, 9, 10.5],
            ("notification_parallelization_factor", "from 1 to 10"): [0, 1.5, 11],
            ("submission_reserved_concurrency", "with 0 every order"): [0, 1.5],
            ("cors_allowed_origins", "Name at least one origin"): [[]],
            ("cors_allowed_origins", "scheme://host[:port]"): [
                ["https://shop.example.com", "shop"],
                *(
                    [origin]
                    for origin in (
                        *("", "shop.example.com", "https://shop.example.com/", "https://shop.example.com/orders"),
                        *("https://Shop.example.com", "null", "https://shop.example.com:", "https://*.example.com"),
                        *("https://shop.example.com\n", "https://a.com,https://b.com"),
                    )
                ),
            ],
            ("jwt_issuer", "Give the issuer as an https:// address"): (
                "|login.example.com|http://login.example.com|https://|https://login.example.com |https://login.example.com\n"
                "|https://login.example.com/?tenant=shop|https://login.example.com/#shop|https://user@login.example.com"
            ),
            ("jwt_audience", "without spaces and commas"): [[""], [" "], ["shop,till"], ["shop\n"]],
            ("jwt_customer_claim", "Name a claim of 1 to 50"): f"|customer id|sub\n|$.sub|{'c' * 51}",
            ("api_domain_name", "Give one complete name"): (
                "|api|*.example.com|API.example.com|https://api.example.com|api.example.com/|a.b.c\n"
            ),
            ("api_certificate_arn", "Give the ARN of a certificate"): (
                f"|{ID}|{CERTIFICATE.replace(':acm:', ':iam:')}|{CERTIFICATE}\n"
            ),
            ("api_hosted_zone_id", "the ID of a hosted zone"): "|example.com|/hostedzone/Z0123456789ABCDEFGHIJ|Z0123\n",
            **{(f"{api}_throttling_rate_limit", "with 0 every"): [0, 0.5, 10001] for api in THROTTLED},
            **{(f"{api}_throttling_burst_limit", "with 0 every"): [0, 1.5, 5001] for api in THROTTLED},
            ("latency_alarm_threshold_ms", "Below 100, a healthy API raises the alarm"): [99, 29001],
            ("no_orders_alarm_minutes", "Below 5, any pause raises the alarm"): [0, 4, 7.5, 1441],
            **{(f"{each}_alarm_per_minute", "of at least 1"): [0] for each in ("orders", "requests", "client_errors")},
        }
    ),
    Case("notification_email", None, "Give one complete e-mail address"),
    Case("lambda_zip_path", "../dist/orders-x86_64.zip", "for the other processor", {"lambda_architecture": "arm64"}),
    Case("lambda_zip_path", "../dist/orders-arm64.zip", "for the other processor", {"lambda_architecture": "x86_64"}),
    Case("jwt_issuer", "https://login.example.com", "without an issuer, no token is required"),
    Case("jwt_audience", ["till"], "without an issuer, no token is required"),
    Case("jwt_customer_claim", "email", "no claim is"),
    Case("api_domain_name", "api.example.com", "only with its certificate"),
    Case("api_certificate_arn", CERTIFICATE, "only with its certificate"),
    Case("api_hosted_zone_id", "Z0123456789ABCDEFGHIJ", "no record is created"),
]
FRONTEND_REJECTED: list[Case] = [
    *cases(
        {
            **BOTH,
            ("project", 'does not begin with "internal-"'): "internal|internal-shop",
            ("vpc_cidr", "a private IPv4 network of /16 to /23"): (
                "|10.20.0.0|10.20.0.1/16|10.0.0.0/8|10.20.0.0/24|8.8.0.0/16|fd00::/16"
            ),
            ("availability_zones", "Name two to six different zones"): [
                *([], ["eu-west-1a"], ["eu-west-1a"] * 2, ["eu-west-1", "eu-west-1b"]),
                [f"eu-west-1{zone}" for zone in "abcdefg"],
            ],
            ("existing_network", "Give the ID of a VPC"): [
                {**NETWORK, "vpc_id": value} for value in ("", "vpc-", SUBNETS[0])
            ],
            ("existing_network", "two or more different subnets"): [
                {**NETWORK, name: value}
                for name in ("load_balancer_subnet_ids", "instance_subnet_ids")
                for value in ([], SUBNETS[:1], SUBNETS[:1] * 2, [SUBNETS[0], "10.0.0.0/24"])
            ],
            (
                "allowed_cidrs",
                "Name at least one network in allowed_cidrs, each as an IPv4 network by its first address",
            ): [*([], ["203.0.113.7"], ["203.0.113.7/24"], ["10.0.0.0/33"], ["2001:db8::/32"])],
            ("certificate_arn", "Give the ARN of a certificate"): "shop.example.com",
            ("domain_name", "Give a complete name in lower case"): (
                "|shop|https://shop.example.com|shop.example.com/|Shop.example.com|shop.example.com:443"
            ),
            ("hosted_zone_id", "Give the ID of a hosted zone"): "/hostedzone/Z0123456789ABCDEFGHIJ",
            ("web_acl_arn", "a regional web ACL"): (
                "|arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop/1234abcd"
            ),
            ("access_log_bucket", "Give the name of a bucket"): "|arn:aws:s3:::logs|Logs",
            ("api_url", "Give the backend's api_endpoint"): (
                "|api.example.com|http://api.example.com|http://localhost.example.com|https://Api.example.com"
                "|https://user:password@api.example.com|https://api.example.com/?stage=dev|https://api.example.com/#orders"
                "|https://api.example.com:port|https://api.example.com/\n|https://api.example.com/'; reboot; '"
                '|https://api.example.com/"|https://api.example.com/$(reboot) |https://[::1]/'
            ),
            ("repository_url", "Give the repository's https address"): (
                "|http://github.com/a/b.git|git@github.com:a/b.git|https://token@github.com/a/b.git|https://github.com"
                "|https://github.com:8443/a/b.git|https://github.com/a/b.git?ref=main|https://github.com/a/b.git'"
                "|https://github.com/a/$(reboot)|https://github.com/a/b.git\n"
            ),
            ("repository_ref", "Give a commit's full ID"): (
                "|-upload-pack=reboot|a b|a..b|a'b|$(reboot)|main:main|main\n|v1.lock|release/"
            ),
            ("repository_ref", "Give all 40 digits of the commit"): ["1a2b3c4", "1a2b3c4d" * 4],
            ("ami_id", "Give the ID of an image"): "|debian-13|ami-",
            ("root_device_name", "Give the root device's name"): "|xvda|/dev/xvda/1",
            ("instance_type", 'such as "t4g.micro"'): "|micro",
            ("instance_type", "Choose a Graviton type"): "t3.micro|m7i.large|g4dn.xlarge",
            ("min_size", "with min_size 0 the storefront is down"): [0, 1.5],
            ("max_size", "from min_size to 100"): [1, 2.5, 101],
            ("alerts_topic_arn", "Give the ARN of an SNS topic"): (
                "|arn:aws:sqs:eu-west-1:123456789012:alerts|arn:aws:sns:eu-west-1:123456789012:alerts.fifo"
            ),
        }
    ),
    Case(
        "existing_network",
        NETWORK,
        "Leave availability_zones out",
        {"availability_zones": ["eu-west-1a", "eu-west-1b"]},
    ),
    Case("certificate_arn", CERTIFICATE, "Set domain_name to the name of certificate_arn"),
    Case("hosted_zone_id", "Z0123456789ABCDEFGHIJ", "Set domain_name to the name of certificate_arn"),
    *(
        Case("repository_ref", value, "prod accepts no tag or branch", {"environment": "prod"})
        for value in ("main", "v1.2.0", "1a2b3c4")
    ),
    Case("max_size", 4, "from min_size to 100", {"min_size": 5}),
]

# The smallest and the largest valid value of each variable.
BOTH_EXTREMES: dict[str, tuple[Any, Any]] = {
    "project": ("os", "a" * 25),
    "environment": ("staging", "prod"),
    "aws_region": ("us-gov-west-1", None),
    "permissions_boundary_arn": (
        "arn:aws:iam::aws:policy/PowerUserAccess",
        "arn:aws:iam::123456789012:policy/teams/Boundary",
    ),
    "log_retention_days": (1, 3653),
    "runbook_url": ("https://r", f"https://{'r' * 292}"),
}
BACKEND_EXTREMES: dict[str, tuple[Any, Any]] = {
    **BOTH_EXTREMES,
    "kms_key_arn": (
        KEY.replace("arn:aws:", "arn:aws-us-gov:"),
        KEY.replace(ID, "mrk-1234abcd12ab34cd56ef1234567890ab"),
    ),
    "deletion_protection_enabled": (False, True),
    "completed_order_email": ("none", "sales.orders+shop@mail.example.co.uk"),
    "alerts_https_endpoint": ("https://a", "https://user:secret@events.example.com:8443/sns/1?key=2"),
    "lambda_architecture": ("x86_64", "arm64"),
    "lambda_zip_path": ("../dist/orders-x86_64.zip", "/somewhere/orders-local.zip"),
    "processing_timeout_seconds": (2, 900),
    "processing_maximum_concurrency": (2, 1000),
    "processing_batch_window_seconds": (0, 20),
    "processing_reserved_concurrency": (2, 1000),
    "submission_reserved_concurrency": (1, 1000),
    "notification_parallelization_factor": (1, 10),
    "snap_start_enabled": (True, False),
    "cors_allowed_origins": (["*"], ["http://localhost:8080", "https://shop.example.com", "http://127.0.0.1:8080"]),
    "jwt_issuer": ("https://a", "https://login.example.com:8443/realms/Shop_1/"),
    "jwt_audience": (["a"], ["3n4b5urk1ft4fl3mg5e62d9ado", "https://api.shop.example.com/orders?v=1"]),
    "jwt_customer_claim": ("c", "https://customers.shop-1.example.com/customer:id_1"),
    "api_domain_name": ("a.io", f"{'a' * 63}.api-1.shop.example.com"),
    "api_certificate_arn": (GOV_CERTIFICATE, CERTIFICATE),
    "api_hosted_zone_id": (None, "Z0123456789ABCDEFGHIJ"),
    **{f"{api}_throttling_rate_limit": (1, 10000) for api in THROTTLED},
    **{f"{api}_throttling_burst_limit": (1, 5000) for api in THROTTLED},
    "latency_alarm_threshold_ms": (100, 29000),
    "no_orders_alarm_minutes": (5, 1440),
    **{f"{each}_alarm_per_minute": (1, 1000000) for each in ("orders", "requests", "client_errors")},
}
FRONTEND_EXTREMES: dict[str, tuple[Any, Any]] = {
    **BOTH_EXTREMES,
    "vpc_cidr": ("192.168.0.0/23", None),
    "availability_zones": (["us-gov-west-1a", "us-gov-west-1b"], None),
    "existing_network": (None, NETWORK),
    "allowed_cidrs": (["203.0.113.7/32"], None),
    "domain_name": (None, "shop.example.com"),
    "certificate_arn": (None, CERTIFICATE),
    "hosted_zone_id": (None, "Z0123456789ABCDEFGHIJ"),
    "web_acl_arn": (None, f"arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/{ID}"),
    "access_log_bucket": (None, "logs.example.com"),
    "api_url": ("http://localhost:4566/_aws/execute-api/abc/$default", "https://api.example.com:8443/v1/"),
    "repository_url": ("https://github.com/a/b", "https://git.example.com/teams/shop/frontend.git/"),
    "repository_ref": ("7", "1a2b3c4d" * 5),
    "ami_id": (None, "ami-0123456789abcdef0"),
    "root_device_name": (None, "/dev/sda1"),
    "instance_type": ("a1.medium", "m7i-flex.large"),
    "min_size": (1, 100),
    "max_size": (1, 100),
    "alerts_topic_arn": (None, "arn:aws:sns:eu-west-1:123456789012:order-processing-prod-alerts"),
}

# Valid values of the variables without a default.
REQUIRED: dict[str, dict[str, Any]] = {
    "terraform-backend": {"notification_email": "operations@example.com"},
    "terraform-frontend": {
        "api_url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
        "repository_url": "https://github.com/example/shop.git",
        "repository_ref": "v1.2.0",
    },
}
REJECTED = {"terraform-backend": BACKEND_REJECTED, "terraform-frontend": FRONTEND_REJECTED}
EXTREMES = {"terraform-backend": BACKEND_EXTREMES, "terraform-frontend": FRONTEND_EXTREMES}


def extreme(folder: str, number: int) -> dict[str, Any]:
    """Return the smallest (0) or the largest (1) valid values."""
    return {name: values[number] for name, values in EXTREMES[folder].items()}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[list[str]]]:
    """By folder, the errors of each rejected case, then of each accepted set."""
    return {
        folder: errors_of_each(
            folder,
            [
                {**required, **each}
                for each in [*(case.values for case in REJECTED[folder]), extreme(folder, 0), extreme(folder, 1), {}]
            ],
            tmp_path_factory.mktemp("terraform"),
        )
        for folder, required in REQUIRED.items()
    }


@pytest.mark.parametrize(
    ("folder", "number"),
    [pytest.param(folder, i, id=f"{folder}-{case}") for folder in REJECTED for i, case in enumerate(REJECTED[folder])],
)
def test_invalid_value_is_rejected_with_one_error(
    folder: str, number: int, errors: Mapping[str, list[list[str]]]
) -> None:
    [error] = errors[folder][number]
    assert REJECTED[folder][number].advice in error


@pytest.mark.parametrize("number", [-3, -2, -1], ids=["smallest", "largest", "null"])
@pytest.mark.parametrize("folder", REQUIRED)
def test_extreme_values_are_accepted(folder: str, number: int, errors: Mapping[str, list[list[str]]]) -> None:
    assert errors[folder][number] == []


@pytest.mark.parametrize("folder", REQUIRED)
def test_only_variables_without_a_safe_default_are_required(folder: str) -> None:
    assert {name for name, default in defaults_of(folder).items() if default is None} == REQUIRED[folder].keys()


def test_missing_package_is_reported_with_the_build_command(backend: TerraformRoot) -> None:
    [error] = backend.errors({**REQUIRED["terraform-backend"], "lambda_architecture": "x86_64"})
    assert "The Lambda package ../dist/orders-x86_64.zip does not exist" in error
    assert "make build TARGET=x86_64" in error
