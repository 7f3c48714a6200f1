"""Plans and deployments, created once per session and shared by all tests that only read them."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deployed_outputs import outputs_of_stack
from infrastructure.deployed_system import Description, describe
from local_stack.aws import Credentials
from local_stack.environment import tool_environment
from support.deployment.api import JSON_TYPE, DeployedApi
from support.deployment.cloudformation import Stack
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.frontend import VARIABLES
from support.deployment.sign_in import SignIn
from support.deployment.terraform import Plan, Resources, SideBySide, TerraformRoot
from support.prerequisites import require_program
from support.repository.cloudformation import ACCOUNT, REGION, parameters_of
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY

DEPLOYER_POLICY = REPOSITORY / "docs" / "deployer-policy.json"

OTHER_REGION = "ap-southeast-2"
KEY = f"arn:aws:kms:{OTHER_REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CERTIFICATE = f"arn:aws:acm:{OTHER_REGION}:{ACCOUNT}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
ZONE = "Z0123456789ABCDEFGHIJ"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
RUNBOOK_URL = f"https://wiki.example.com/{'r' * 275}"  # the maximum length

# A value other than the default for every variable of the backend except project, environment and region.
CHOSEN: dict[str, Any] = {
    "notification_email": "operations@example.com",
    "completed_order_email": "sales@example.com",
    "alerts_https_endpoint": "https://events.example.com/sns",
    "kms_key_arn": KEY,
    "permissions_boundary_arn": BOUNDARY,
    "processing_timeout_seconds": 60,
    "processing_maximum_concurrency": 50,
    "processing_batch_window_seconds": 2,
    "processing_reserved_concurrency": 50,
    "submission_reserved_concurrency": 40,
    "notification_parallelization_factor": 4,
    "snap_start_enabled": True,
    "tracing_enabled": True,
    "cors_allowed_origins": ["https://shop.example.com", "https://till.example.com"],
    "jwt_issuer": "https://login.example.com/shop/",
    "jwt_audience": ["shop", "till"],
    "jwt_customer_claim": "custom:customer",
    "api_domain_name": "api.example.com",
    "api_certificate_arn": CERTIFICATE,
    "api_hosted_zone_id": ZONE,
    "api_throttling_rate_limit": 20,
    "api_throttling_burst_limit": 30,
    "submission_throttling_rate_limit": 10,
    "status_throttling_burst_limit": 15,
    "log_retention_days": 365,
    "runbook_url": RUNBOOK_URL,
    "latency_alarm_threshold_ms": 1500,
    "no_orders_alarm_minutes": 120,
    "orders_alarm_per_minute": 100,
    "requests_alarm_per_minute": 1000,
    "client_errors_alarm_per_minute": 50,
}

# The emulator's zone a does not offer it.
SCARCE_INSTANCE_TYPE = "a1.medium"

# A value for every option of the frontend.
FRONTEND_CHOSEN: dict[str, Any] = {
    **VARIABLES,
    **{"environment": "prod", "aws_region": OTHER_REGION, "permissions_boundary_arn": BOUNDARY},
    **{"vpc_cidr": "172.16.0.0/20", "availability_zones": [f"{OTHER_REGION}{zone}" for zone in "abc"]},
    **{"instances_are_private": True, "flow_logs_enabled": True},
    **{"allowed_cidrs": ["203.0.113.0/24", "198.51.100.0/24"], "access_log_bucket": "shop-access-logs"},
    "certificate_arn": CERTIFICATE,
    **{"domain_name": "shop.example.com", "hosted_zone_id": ZONE},
    "web_acl_arn": f"arn:aws:wafv2:{OTHER_REGION}:{ACCOUNT}:regional/webacl/shop/1234abcd",
    **{"repository_ref": "1a2b3c4d" * 5, "root_device_name": "/dev/sda1", "instance_type": "c8g.medium"},
    **{"min_size": 3, "max_size": 9, "runbook_url": RUNBOOK_URL},
    "alerts_topic_arn": f"arn:aws:sns:{OTHER_REGION}:{ACCOUNT}:alerts",
}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def new_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package to plan with: Terraform only hashes it."""
    path = tmp_path_factory.mktemp("package") / "orders.zip"
    path.write_text("new code")
    return path


@pytest.fixture(scope="session")
def variables(new_zip: Path) -> dict[str, Any]:
    """The variables without a default, and a package."""
    return {"notification_email": "operations@example.com", "lambda_zip_path": str(new_zip)}


@pytest.fixture(scope="session")
def backend(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-backend"
    return TerraformRoot(REPOSITORY / "terraform-backend", directory, emulator.environment)


@pytest.fixture(scope="session")
def backend_plans(
    emulator: Emulator, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Plan]:
    others = {"environment": "prod", "aws_region": OTHER_REGION, "lambda_architecture": "x86_64"}
    sets = {
        "defaults": variables,
        "every_option": {**variables, **CHOSEN, **others},
    }
    folder, directory = REPOSITORY / "terraform-backend", tmp_path_factory.mktemp("terraform")
    return SideBySide(folder, directory, emulator.environment, sets).plans()


@pytest.fixture(scope="session")
def plan(backend_plans: dict[str, Plan]) -> Plan:
    """The backend with all defaults."""
    return backend_plans["defaults"]


@pytest.fixture(scope="session")
def production_plan(backend_plans: dict[str, Plan]) -> Plan:
    """The backend in another environment and region of the account, with every option."""
    return backend_plans["every_option"]


@pytest.fixture(scope="session")
def existing_network(emulator: Emulator) -> dict[str, Any]:
    """Subnets of two zones for the frontend's variable."""
    ec2 = emulator.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ]
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    return {"vpc_id": vpc_id, "load_balancer_subnet_ids": ids, "instance_subnet_ids": ids}


@pytest.fixture(scope="session")
def frontend_plans(
    emulator: Emulator, existing_network: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Plan]:
    sets = {
        "defaults": VARIABLES,
        "every_option": FRONTEND_CHOSEN,
        "scarce_instance_type_and_longest_names": {
            **VARIABLES,
            **{"instance_type": SCARCE_INSTANCE_TYPE, "project": "a" * 25, "environment": "staging"},
        },
        "existing_network": {**VARIABLES, "existing_network": existing_network},
    }
    folder, directory = REPOSITORY / "terraform-frontend", tmp_path_factory.mktemp("terraform")
    return SideBySide(folder, directory, emulator.environment, sets).plans()


@pytest.fixture(scope="session")
def frontend_plan(frontend_plans: dict[str, Plan]) -> Plan:
    """The frontend with all defaults."""
    return frontend_plans["defaults"]


@pytest.fixture(scope="session")
def frontend_production_plan(frontend_plans: dict[str, Plan]) -> Plan:
    """The frontend in another environment and region of the account, with every option."""
    return frontend_plans["every_option"]


@dataclass(frozen=True)
class DeployedTwice:
    """The backend with every option, deployed by CloudFormation as dev and by Terraform as staging."""

    emulator: Emulator
    root: TerraformRoot
    variables: Mapping[str, Any]
    cloudformation: Description
    terraform: Description
    resources: Resources
    """Terraform's applied resources."""
    outputs: Mapping[str, Any]
    second_plan: Plan
    """Terraform's plan after the deployment, with a new package. It knows all other values."""
    stack_outputs: Mapping[str, str]
    """CloudFormation's outputs by their Terraform names."""
    orders: list[tuple[int, int, str]]
    """For each API, by its domain: status of a customer's own order, and status and code of another customer's."""


def deployer_environment(emulator: Emulator, zone: str) -> Mapping[str, str]:
    """Create a user with docs/deployer-policy.json only; return the environment of a program that acts as this user."""
    policy = DEPLOYER_POLICY.read_text()
    filled_in = {"PARTITION": "aws", "ACCOUNT": ACCOUNT, "REGION": REGION, "BUCKET": "artifacts-of-orders"}
    for placeholder, value in {**filled_in, "KEY": "*", "ZONE": zone}.items():
        policy = policy.replace(placeholder, value)
    iam = emulator.client("iam")
    iam.create_user(UserName="deployer")
    iam.put_user_policy(UserName="deployer", PolicyName="deployer", PolicyDocument=policy)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    return tool_environment(replace(emulator.connection, credentials=credentials))


@pytest.fixture(scope="session")
def deployed_twice(new_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedTwice]:
    """Both deployments side by side. Terraform uses an identity with docs/deployer-policy.json only."""
    require_program("terraform", "install Terraform 1.9 or newer to compare the two deployments")
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator, ThreadPoolExecutor() as threads:
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        emulator.client("iam").create_policy(PolicyName="Boundary", PolicyDocument=json.dumps(everything))
        sign_in = SignIn(emulator.client("cognito-idp"), "customers")
        application = sign_in.application("shop")
        zone = emulator.client("route53").create_hosted_zone(Name="example.com", CallerReference="tests")
        zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
        chosen = {
            **CHOSEN,
            "kms_key_arn": emulator.client("kms").create_key()["KeyMetadata"]["Arn"],
            "jwt_issuer": sign_in.issuer,
            "jwt_audience": [application],
            "jwt_customer_claim": "sub",
            "api_certificate_arn": emulator.client("acm").request_certificate(DomainName="*.example.com")[
                "CertificateArn"
            ],
            "api_hosted_zone_id": zone_id,
        }
        stack = Stack("orders", emulator)
        dev = {**chosen, "environment": "dev", "api_domain_name": "api.dev.example.com"}
        by_cloudformation = threads.submit(stack.deploy, **parameters_of(dev))
        directory = tmp_path_factory.mktemp("terraform") / "terraform-backend"
        root = TerraformRoot(REPOSITORY / "terraform-backend", directory, deployer_environment(emulator, zone_id))
        staging = {**chosen, "environment": "staging", "lambda_zip_path": str(stack.zip_path)}
        staging["api_domain_name"] = "api.staging.example.com"
        root.apply(staging)
        by_cloudformation.result()
        yield DeployedTwice(
            emulator,
            root,
            staging,
            describe(emulator.client, "order-processing-dev"),
            describe(emulator.client, "order-processing-staging"),
            root.applied(),
            root.outputs(),
            root.plan({**staging, "lambda_zip_path": str(new_zip)}),
            outputs_of_stack(emulator.client("cloudformation"), "orders"),
            [
                _order_statuses(
                    emulator, configuration["api_domain_name"], sign_in.token(application), sign_in.customer_id
                )
                for configuration in (dev, staging)
            ],
        )


def _order_statuses(emulator: Emulator, domain: str, token: str, customer: str) -> tuple[int, int, str]:
    """Place an order for the token's customer and one for another customer, through the API's domain."""
    headers = {**JSON_TYPE, "Authorization": f"Bearer {token}"}
    api = DeployedApi(emulator.endpoint_url.replace("localhost", domain))
    own, other = api.post(SAMPLE_BODY.replace(b"001", customer.encode()), headers), api.post(SAMPLE_BODY, headers)
    return own.status, other.status, other.json().get("code")
