"""Every value that would cost customers or money is refused, with a message that says what to choose."""

from typing import Any

import pytest

from deployment.terraform import TerraformRoot
from infrastructure.variable_rules import Case, assert_refused, rules_of

REQUIRED = {
    "api_url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
    "repository_url": "https://github.com/example/shop.git",
}
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "load_balancer_subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "instance_subnet_ids": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
}

REFUSED = [
    *(
        Case("project", value, "2 to 25 lower-case letters")
        for value in ("", "a", "Shop", "1shop", "shop-", "my--shop", "my_shop", "s" * 26, "shop\n")
    ),
    *(Case("project", value, 'does not begin with "internal-"') for value in ("internal", "internal-shop")),
    *(Case("environment", value, '"dev", "staging" or "prod"') for value in ("", "production", "Dev", "dev ")),
    *(Case("aws_region", value, 'such as "eu-central-1"') for value in ("", "Ireland", "eu-west-1a", "eu")),
    *(
        Case("permissions_boundary_arn", value, "Give the ARN of a managed IAM policy")
        for value in ("", "Boundary", "arn:aws:iam::123456789012:role/Boundary")
    ),
    *(
        Case("vpc_cidr", value, "a private IPv4 network of /16 to /23")
        for value in (
            "",
            "10.20.0.0",
            "10.20.0.1/16",
            "10.0.0.0/8",
            "10.20.0.0/24",
            "10.20.0.0/33",
            "8.8.0.0/16",
            "fd00::/16",
        )
    ),
    *(
        Case("availability_zones", value, "Name two to six different zones")
        for value in ([], ["eu-west-1a"], ["eu-west-1a", "eu-west-1a"], [f"eu-west-1{zone}" for zone in "abcdefg"])
    ),
    Case("availability_zones", ["eu-west-1", "eu-west-1b"], "the region's code and a letter"),
    *(
        Case("existing_network", {**NETWORK, "vpc_id": value}, "Give the id of a VPC")
        for value in ("", "shop", "vpc-", "subnet-0123456789abcdef0")
    ),
    *(
        Case("existing_network", {**NETWORK, subnets: value}, "Name two or more different subnets")
        for subnets in ("load_balancer_subnet_ids", "instance_subnet_ids")
        for value in (
            [],
            ["subnet-0123456789abcdef0"],
            ["subnet-0123456789abcdef0", "subnet-0123456789abcdef0"],
            ["subnet-0123456789abcdef0", "10.0.0.0/24"],
        )
    ),
    Case(
        "existing_network",
        NETWORK,
        "Leave availability_zones out",
        {"availability_zones": ["eu-west-1a", "eu-west-1b"]},
    ),
    *(Case("log_retention_days", value, "one of the periods CloudWatch knows") for value in (0, 2, 366)),
    Case("allowed_cidrs", [], "nobody reaches the storefront"),
    *(
        Case("allowed_cidrs", [value], "an IPv4 network by its first address")
        for value in ("", "203.0.113.7", "203.0.113.7/24", "203.0.113.0/33", "2001:db8::/32", "everybody")
    ),
    *(
        Case("certificate_arn", value, "Give the ARN of a certificate", {"domain_name": "shop.example.com"})
        for value in ("", "shop.example.com", "arn:aws:iam::123456789012:server-certificate/shop")
    ),
    Case("certificate_arn", CERTIFICATE, "Set domain_name to the name that the certificate is for"),
    *(
        Case("domain_name", value, "Give a complete name in lower case")
        for value in (
            "",
            "shop",
            "https://shop.example.com",
            "shop.example.com/",
            "Shop.example.com",
            "shop.example.com:443",
        )
    ),
    *(
        Case("hosted_zone_id", value, "Give the id of a hosted zone", {"domain_name": "shop.example.com"})
        for value in ("", "example.com", "/hostedzone/Z0123456789ABCDEFGHIJ")
    ),
    Case("hosted_zone_id", "Z0123456789ABCDEFGHIJ", "Set domain_name to the name to make"),
    *(
        Case("web_acl_arn", value, "Give the ARN of a regional web ACL")
        for value in ("", "shop", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop/1234abcd")
    ),
    *(
        Case("access_log_bucket", value, "Give the name of a bucket")
        for value in ("", "arn:aws:s3:::logs", "s3://logs", "Logs")
    ),
    *(
        Case("api_url", value, "Give the backend's api_endpoint")
        for value in (
            "",
            "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "http://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "http://localhost.example.com",
            "https://",
            "https://Api.example.com",
            "https://user:password@api.example.com",
            "https://api.example.com/?stage=dev",
            "https://api.example.com/#orders",
            "https://api.example.com:port",
            "https://api.example.com/\n",
            "https://api.example.com/'; reboot; '",
            'https://api.example.com/"',
            "https://api.example.com/$(reboot) ",
            "https://[::1]/",
            "javascript:alert(1)",
        )
    ),
    *(
        Case("repository_url", value, "Give the repository's https address")
        for value in (
            "",
            "http://github.com/example/shop.git",
            "git@github.com:example/shop.git",
            "ssh://git@github.com/example/shop.git",
            "https://token@github.com/example/shop.git",
            "https://github.com",
            "https://github.com:8443/example/shop.git",
            "https://github.com/example/shop.git?ref=main",
            "https://github.com/example/shop.git'",
            "https://github.com/example/$(reboot)",
            "https://github.com/example/shop.git\n",
            "/srv/git/shop.git",
        )
    ),
    *(
        Case("repository_ref", value, "Give the name of a branch or tag")
        for value in (
            "",
            "-upload-pack=reboot",
            "a b",
            "a..b",
            "a'b",
            "$(reboot)",
            "main:main",
            "main\n",
            "v1.lock",
            "release/",
            "a//b",
        )
    ),
    *(Case("repository_ref", value, "Give all 40 digits of the commit") for value in ("1a2b3c4", "1a2b3c4d" * 4)),
    *(Case("ami_id", value, "Give the id of an image") for value in ("", "debian-13", "ami-")),
    *(Case("root_device_name", value, "Give the root device's name") for value in ("", "xvda", "/dev/xvda/1")),
    *(Case("instance_type", value, 'such as "t4g.micro"') for value in ("", "micro", "t4g micro")),
    *(Case("instance_type", value, "Choose a Graviton type") for value in ("t3.micro", "m7i.large", "g4dn.xlarge")),
    *(Case("min_size", value, "Run at least 1 instance") for value in (0, -1, 1.5)),
    *(Case("max_size", value, "from min_size to 100") for value in (1, 2.5, 101)),
    Case("max_size", 4, "from min_size to 100", {"min_size": 5}),
    *(
        Case("alerts_topic_arn", value, "Give the ARN of an SNS topic")
        for value in (
            "",
            "alerts",
            "arn:aws:sqs:eu-west-1:123456789012:alerts",
            "arn:aws:sns:eu-west-1:123456789012:alerts.fifo",
        )
    ),
    *(
        Case("runbook_url", value, "Give the https address")
        for value in ("", "runbook.md", "http://wiki.example.com/runbook", "https://wiki.example.com/runbook#alarms")
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    {
        "project": "ab",
        "environment": "dev",
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
        "project": "a" * 25,
        "environment": "prod",
        "aws_region": "ap-southeast-2",
        "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/teams/Boundary",
        "existing_network": NETWORK,
        "instances_are_private": True,
        "allowed_cidrs": ["10.0.0.0/8", "0.0.0.0/0"],
        "certificate_arn": CERTIFICATE,
        "domain_name": "my.shop.example.co.uk",
        "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
        "web_acl_arn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/1234abcd-12ab-34cd-56ef-1234567890ab",
        "access_log_bucket": "logs.example.com",
        "deletion_protection_enabled": False,
        "api_url": "https://api.example.com:8443/v1/",
        "repository_url": "https://git.example.com/teams/shop/frontend.git/",
        "repository_ref": "1a2b3c4d" * 5,
        "ami_id": "ami-0123456789abcdef0",
        "root_device_name": "/dev/sda1",
        "instance_type": "m7i-flex.large",
        "min_size": 100,
        "max_size": 100,
        "log_retention_days": 3653,
        "alerts_topic_arn": "arn:aws:sns:eu-west-1:123456789012:order-processing-prod-alerts",
        "runbook_url": f"https://{'r' * 292}",
    },
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    return rules_of("terraform-frontend", tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_wrong_value_is_refused_with_what_to_choose_instead(case: Case, rules: TerraformRoot) -> None:
    assert_refused(case, rules, REQUIRED)


@pytest.mark.parametrize("values", ACCEPTED, ids=["smallest", "largest"])
def test_the_smallest_and_largest_sensible_values_are_accepted(values: dict[str, Any], rules: TerraformRoot) -> None:
    assert rules.errors({**REQUIRED, **values}) == [], "these values make sense"


@pytest.mark.parametrize("variable", REQUIRED)
def test_the_api_and_the_repository_have_to_be_given(variable: str, rules: TerraformRoot) -> None:
    assert rules.errors(REQUIRED) == [], "the rest has defaults"
    assert rules.errors({name: value for name, value in REQUIRED.items() if name != variable}) != []


def test_null_takes_the_default(rules: TerraformRoot) -> None:
    optional = (
        "project",
        "environment",
        "vpc_cidr",
        "allowed_cidrs",
        "repository_ref",
        "instance_type",
        "min_size",
        "max_size",
        "runbook_url",
    )
    assert rules.errors({**dict.fromkeys(optional), **REQUIRED}) == [], (
        "a module that passes its own variables on hands over null"
    )
