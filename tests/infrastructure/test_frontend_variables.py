"""Every value that would lose customers or money is rejected, with a message that states what to choose."""

from pathlib import Path
from typing import Any

import pytest

from infrastructure.variable_rules import Case, cases, errors_of_each, rules_of
from support.deployment.terraform import Diagnostic

REQUIRED = {
    "api_url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
    "repository_url": "https://github.com/example/shop.git",
    "repository_ref": "v1.2.0",
}
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
SUBNETS = [f"subnet-0123456789abcdef{number}" for number in range(4)]
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "load_balancer_subnet_ids": SUBNETS[:2],
    "instance_subnet_ids": SUBNETS[2:],
}
COMMIT = "1a2b3c4d" * 5
DOMAIN = {"domain_name": "shop.example.com"}

# Invalid values by variable and advice. "|" separates strings; every list of strings begins with the empty one.
ADVICE: list[tuple[str, str, str]] = [
    ("project", "2 to 25 lower-case letters", "|a|Shop|1shop|shop-|my--shop|shop\n|" + "s" * 26),
    ("environment", '"dev", "staging" or "prod"', "|production|Dev"),
    ("aws_region", 'such as "eu-central-1"', "|Ireland|eu-west-1a"),
    ("permissions_boundary_arn", "Give the ARN of a managed IAM policy", "|arn:aws:iam::123456789012:role/Boundary"),
    (
        "vpc_cidr",
        "a private IPv4 network of /16 to /23",
        "|10.20.0.0|10.20.0.1/16|10.0.0.0/8|10.20.0.0/24|8.8.0.0/16|fd00::/16",
    ),
    (
        "domain_name",
        "Give a complete name in lower case",
        "|shop|https://shop.example.com|shop.example.com/|Shop.example.com|shop.example.com:443",
    ),
    ("web_acl_arn", "a regional web ACL", "|arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop/1234abcd"),
    ("access_log_bucket", "Give the name of a bucket", "|arn:aws:s3:::logs|Logs"),
    (
        "api_url",
        "Give the backend's api_endpoint",
        "|api.example.com|http://api.example.com|http://localhost.example.com|https://Api.example.com"
        "|https://user:password@api.example.com|https://api.example.com/?stage=dev|https://api.example.com/#orders"
        "|https://api.example.com:port|https://api.example.com/\n|https://api.example.com/'; reboot; '"
        '|https://api.example.com/"|https://api.example.com/$(reboot) |https://[::1]/',
    ),
    (
        "repository_url",
        "Give the repository's https address",
        "|http://github.com/a/b.git|git@github.com:a/b.git|https://token@github.com/a/b.git|https://github.com"
        "|https://github.com:8443/a/b.git|https://github.com/a/b.git?ref=main|https://github.com/a/b.git'"
        "|https://github.com/a/$(reboot)|https://github.com/a/b.git\n",
    ),
    (
        "repository_ref",
        "Give a commit's full ID",
        "|-upload-pack=reboot|a b|a..b|a'b|$(reboot)|main:main|main\n|v1.lock|release/",
    ),
    ("ami_id", "Give the ID of an image", "|debian-13|ami-"),
    ("root_device_name", "Give the root device's name", "|xvda|/dev/xvda/1"),
    ("instance_type", 'such as "t4g.micro"', "|micro"),
    (
        "alerts_topic_arn",
        "Give the ARN of an SNS topic",
        "|arn:aws:sqs:eu-west-1:123456789012:alerts|arn:aws:sns:eu-west-1:123456789012:alerts.fifo",
    ),
    (
        "runbook_url",
        "Give an https address",
        "|runbook.md|http://wiki.example.com/r|https://wiki.example.com/r#alarms",
    ),
]

MORE: list[tuple[str, str, list[Any]]] = [
    ("project", 'does not begin with "internal-"', ["internal", "internal-shop"]),
    ("repository_ref", "Give all 40 digits of the commit", ["1a2b3c4", "1a2b3c4d" * 4]),
    ("instance_type", "Choose a Graviton type", ["t3.micro", "m7i.large", "g4dn.xlarge"]),
    ("min_size", "Run at least 1 instance", [0, 1.5]),
    ("max_size", "from min_size to 100", [1, 2.5, 101]),
    ("log_retention_days", "one of CloudWatch's retention periods", [0, 366]),
    ("allowed_cidrs", "nobody reaches the storefront", [[]]),
    (
        "allowed_cidrs",
        "by its first address",
        [["203.0.113.7"], ["203.0.113.7/24"], ["10.0.0.0/33"], ["2001:db8::/32"]],
    ),
    ("certificate_arn", "Set domain_name to the name that the certificate is for", [CERTIFICATE]),
    ("hosted_zone_id", "Set domain_name to the name to create", ["Z0123456789ABCDEFGHIJ"]),
    ("availability_zones", "Name two to six different zones", [[], ["eu-west-1a"], ["eu-west-1a"] * 2]),
    ("availability_zones", "Name two to six different zones", [[f"eu-west-1{zone}" for zone in "abcdefg"]]),
    ("availability_zones", "the region's code and a letter", [["eu-west-1", "eu-west-1b"]]),
    ("existing_network", "Give the ID of a VPC", [{**NETWORK, "vpc_id": value} for value in ("", "vpc-", SUBNETS[0])]),
    *(
        ("existing_network", "Name two or more different subnets", [{**NETWORK, name: value}])
        for name in ("load_balancer_subnet_ids", "instance_subnet_ids")
        for value in ([], SUBNETS[:1], SUBNETS[:1] * 2, [SUBNETS[0], "10.0.0.0/24"])
    ),
]

REFUSED = [
    *(case for name, advice, values in [*ADVICE, *MORE] for case in cases(name, advice, values)),
    Case("certificate_arn", "shop.example.com", "Give the ARN of a certificate", DOMAIN),
    Case("hosted_zone_id", "/hostedzone/Z0123456789ABCDEFGHIJ", "Give the ID of a hosted zone", DOMAIN),
    Case("max_size", 4, "from min_size to 100", {"min_size": 5}),
    Case(
        "existing_network",
        NETWORK,
        "Leave availability_zones out",
        {"availability_zones": ["eu-west-1a", "eu-west-1b"]},
    ),
    *(
        Case("repository_ref", value, "prod accepts no tag or branch", {"environment": "prod"})
        for value in ("main", "v1.2.0", "1a2b3c4")
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    {
        "project": "ab",
        "vpc_cidr": "192.168.0.0/23",
        "availability_zones": ["us-gov-west-1a", "us-gov-west-1b"],
        "allowed_cidrs": ["203.0.113.7/32"],
        "api_url": "http://localhost:4566/_aws/execute-api/abc/$default",
        "repository_url": "https://github.com/a/b",
        "repository_ref": "7",
        "instance_type": "a1.medium",
        "min_size": 1,
        "max_size": 1,
        "log_retention_days": 1,
        "runbook_url": "https://r",
    },
    {
        **DOMAIN,
        "project": "a" * 25,
        "environment": "prod",
        "aws_region": "ap-southeast-2",
        "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/teams/Boundary",
        "existing_network": NETWORK,
        "certificate_arn": CERTIFICATE,
        "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
        "web_acl_arn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/1234abcd-12ab-34cd-56ef-1234567890ab",
        "access_log_bucket": "logs.example.com",
        "api_url": "https://api.example.com:8443/v1/",
        "repository_url": "https://git.example.com/teams/shop/frontend.git/",
        "repository_ref": COMMIT,
        "ami_id": "ami-0123456789abcdef0",
        "root_device_name": "/dev/sda1",
        "instance_type": "m7i-flex.large",
        "min_size": 100,
        "max_size": 100,
        "log_retention_days": 3653,
        "alerts_topic_arn": "arn:aws:sns:eu-west-1:123456789012:order-processing-prod-alerts",
        "runbook_url": f"https://{'r' * 292}",
    },
    {},
]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> list[list[Diagnostic]]:
    """The errors of each rejected case, then of each accepted set."""
    sets = [{**REQUIRED, **each} for each in [*(case.values for case in REFUSED), *ACCEPTED]]
    return errors_of_each("terraform-frontend", sets, tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_invalid_value_is_rejected_with_one_error(case: Case, errors: list[list[Diagnostic]]) -> None:
    [error] = errors[REFUSED.index(case)]
    assert case.advice in error


@pytest.mark.parametrize("number", [-3, -2, -1], ids=["smallest", "largest", "null"])
def test_extreme_values_are_accepted(number: int, errors: list[list[Diagnostic]]) -> None:
    assert errors[number] == []


def test_variables_without_a_safe_default_are_required(tmp_path: Path) -> None:
    errors = rules_of("terraform-frontend", tmp_path).errors({})
    for name in REQUIRED:
        assert any(f'variable "{name}" is not set' in error for error in errors), errors
