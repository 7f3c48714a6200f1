"""The backend's Terraform folder, planned against an emulator: once for all tests that look at the same plan."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infrastructure.deployed_system import DeployedSystem, Description
from infrastructure.deployer import deployer_environment
from support.deployment.cloudformation import Stack
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.package import lambda_zip as package_of_functions
from support.deployment.sign_in import SignIn
from support.deployment.terraform import Plan, TerraformRoot
from support.prerequisites import require_program
from support.repository.files import REPOSITORY

REGION = "eu-west-1"
OTHER_REGION = "ap-southeast-2"
ACCOUNT = "000000000000"
KEY = f"arn:aws:kms:{OTHER_REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ISSUER = "https://login.example.com/shop/"
CERTIFICATE = f"arn:aws:acm:{OTHER_REGION}:{ACCOUNT}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
RUNBOOK_URL = f"https://wiki.example.com/{'r' * 275}"  # as long as it may be


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def lambda_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that is never run, but can be started: a snapshot is taken of functions that are ready."""
    path = tmp_path_factory.mktemp("package") / "orders.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("orders/__init__.py", "")
        for function in ("submission", "processing", "status", "notification"):
            package.writestr(f"orders/handlers/{function}.py", "def handler(event, context): ...\n")
    return path


@pytest.fixture(scope="session")
def variables(lambda_zip: Path) -> dict[str, Any]:
    """The variables that a deployment cannot do without."""
    return {"notification_email": "operations@example.com", "lambda_zip_path": str(lambda_zip)}


@pytest.fixture(scope="session")
def backend(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    """The backend's folder, used by an identity that has nothing but docs/deployer-policy.json."""
    directory = tmp_path_factory.mktemp("terraform") / "terraform-backend"
    return TerraformRoot(REPOSITORY / "terraform-backend", directory, deployer_environment(emulator, ACCOUNT))


@pytest.fixture(scope="session")
def plan(backend: TerraformRoot, variables: dict[str, Any]) -> Plan:
    """The backend with all defaults."""
    return backend.plan(variables)


@pytest.fixture(scope="session")
def production_plan(backend: TerraformRoot, variables: dict[str, Any]) -> Plan:
    """Another deployment in the same account, with everything that can be chosen."""
    chosen = {
        "environment": "prod",
        "aws_region": OTHER_REGION,
        "kms_key_arn": KEY,
        "permissions_boundary_arn": BOUNDARY,
        "completed_order_email": "sales@example.com",
        "alerts_https_endpoint": "https://events.example.com/sns",
        "lambda_architecture": "x86_64",
        "processing_timeout_seconds": 60,
        "processing_maximum_concurrency": 50,
        "processing_reserved_concurrency": 60,
        "submission_reserved_concurrency": 40,
        "notification_parallelization_factor": 4,
        "snap_start_enabled": True,
        "tracing_enabled": True,
        "cors_allowed_origins": ["https://shop.example.com"],
        "jwt_issuer": ISSUER,
        "jwt_audience": ["shop", "till"],
        "jwt_customer_claim": "custom:customer",
        "api_domain_name": "api.example.com",
        "api_certificate_arn": CERTIFICATE,
        "api_hosted_zone_id": "Z0123456789ABCDEFGHIJ",
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
    return backend.plan({**variables, **chosen})


@dataclass(frozen=True)
class DeployedTwice:
    """The backend, deployed side by side by CloudFormation and by Terraform, and what the APIs say of both."""

    cloudformation: Description
    terraform: Description
    plan: Plan
    """Terraform's plan for what is deployed, in which therefore everything is known."""
    sign_in: SignIn
    application: str
    api_endpoints: tuple[str, str]
    default_endpoints: list[str]


@pytest.fixture(scope="session")
def deployed_twice(variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedTwice]:
    """Deploy both, with all that can be chosen to be there and otherwise their defaults.

    Not to the emulator of the other tests, which look for what is left there.
    """
    require_program("terraform", "install Terraform 1.9 or newer to compare the two deployments")
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        sign_in = SignIn(emulator.client("cognito-idp"), "customers")
        application = sign_in.application("shop")
        certificate = emulator.client("acm").request_certificate(DomainName="*.example.com")["CertificateArn"]
        zone = emulator.client("route53").create_hosted_zone(Name="example.com", CallerReference="tests")
        zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
        stack = Stack("orders", tmp_path_factory.mktemp("stack"), emulator)
        package = package_of_functions("local")
        stack.take_code(package)
        stack.deploy(
            Environment="dev",
            NotificationEmail=variables["notification_email"],
            NoOrdersAlarmMinutes="60",
            CompletedOrderEmail="sales@example.com",
            AlertsHttpsEndpoint="https://events.example.com/sns",
            SnapStartEnabled="true",
            TracingEnabled="true",
            JwtIssuer=sign_in.issuer,
            JwtAudience=application,
            ApiDomainName="api.dev.example.com",
            ApiCertificateArn=certificate,
            ApiHostedZoneId=zone_id,
        )
        staging = {
            **variables,
            "lambda_zip_path": str(package),
            "environment": "staging",
            "no_orders_alarm_minutes": 60,
            "completed_order_email": "sales@example.com",
            "alerts_https_endpoint": "https://events.example.com/sns",
            "snap_start_enabled": True,
            "tracing_enabled": True,
            "jwt_issuer": sign_in.issuer,
            "jwt_audience": [application],
            "api_domain_name": "api.staging.example.com",
            "api_certificate_arn": certificate,
            "api_hosted_zone_id": zone_id,
        }
        directory = tmp_path_factory.mktemp("terraform") / "terraform-backend"
        terraform = TerraformRoot(REPOSITORY / "terraform-backend", directory, emulator.environment)
        terraform.apply(staging)
        yield DeployedTwice(
            DeployedSystem(emulator.client, "order-processing-dev").describe(),
            DeployedSystem(emulator.client, "order-processing-staging").describe(),
            terraform.plan(staging, refresh=False),
            sign_in,
            application,
            (stack.outputs()["ApiEndpoint"], terraform.outputs()["api_endpoint"]),
            [api["ApiEndpoint"] for api in emulator.client("apigatewayv2").get_apis()["Items"]],
        )
