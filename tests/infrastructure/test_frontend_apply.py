"""The frontend, applied once: what comes of it, that a second plan finds nothing to do, and that destroy leaves nothing.

The tests share one deployment and come in the order of its life; the last one ends it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.emulator import Emulator, running_emulator
from deployment.frontend import VARIABLES
from deployment.terraform import Plan, TerraformRoot
from local_stack.environment import without_personal_choices
from repository.files import REPOSITORY
from requirements_of_tests import require_program

PREFIX = "order-processing-dev"
DEPLOYED = {**VARIABLES, "instances_are_private": True}

# What the emulator forgets of a resource when it is read back by the provider's protocol; AWS does not.
FORGOTTEN = {
    "aws_cloudwatch_metric_alarm": {
        "actions_enabled",
        "alarm_description",
        "dimensions",
        "period",
        "statistic",
        "treat_missing_data",
    },
    "aws_launch_template": {"network_interfaces", "default_version", "latest_version"},
    "aws_autoscaling_group": {
        "capacity_reservation_specification",
        "default_instance_warmup",
        "launch_template",
        "target_group_arns",
    },
    "aws_vpc_security_group_egress_rule": {"tags_all"},
    "aws_vpc_security_group_ingress_rule": {"tags_all"},
}


@pytest.fixture(scope="module")
def empty_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def deployment(empty_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-frontend"
    frontend = TerraformRoot(REPOSITORY / "terraform-frontend", directory, empty_emulator.environment)
    frontend.apply(DEPLOYED)
    return frontend


@pytest.fixture(scope="module")
def second_plan(deployment: TerraformRoot) -> Plan:
    return deployment.plan(DEPLOYED)


def test_the_storefronts_address_is_an_origin_that_the_backend_admits(
    deployment: TerraformRoot, tmp_path: Path
) -> None:
    outputs = deployment.outputs()
    assert outputs["storefront_url"] == f"http://{outputs['load_balancer_dns_name']}"
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(REPOSITORY / "terraform-backend" / "variables.tf", source)
    backend = TerraformRoot(source, tmp_path / "backend", without_personal_choices())
    origins = {"cors_allowed_origins": [outputs["storefront_url"]], "notification_email": "operations@example.com"}
    assert backend.errors(origins) == [], "the backend's own rule"


def test_each_outputs_resource_is_there(deployment: TerraformRoot, empty_emulator: Emulator) -> None:
    outputs = deployment.outputs()
    [balancer] = empty_emulator.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["DNSName"] == outputs["load_balancer_dns_name"]
    assert balancer["CanonicalHostedZoneId"] == outputs["load_balancer_zone_id"]
    [group] = empty_emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["AutoScalingGroupName"] == outputs["autoscaling_group_name"]


def test_instances_start_in_the_private_subnets(deployment: TerraformRoot, empty_emulator: Emulator) -> None:
    [group] = empty_emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    private = {subnet["id"] for name, subnet in deployment.applied().items() if name.startswith("aws_subnet.private[")}
    assert set(group["VPCZoneIdentifier"].split(",")) == private
    assert len(group["Instances"]) == 2


def test_the_group_follows_the_launch_templates_newest_version(deployment: TerraformRoot) -> None:
    resources = deployment.applied()
    template = resources["aws_launch_template.web_server"]
    [followed] = resources["aws_autoscaling_group.storefront"]["launch_template"]
    # A number, and not $Latest: AWS rolls back to a number only.
    assert (followed["id"], followed["version"]) == (template["id"], str(template["latest_version"]))


def test_the_load_balancer_reaches_the_instances_and_nothing_else(deployment: TerraformRoot) -> None:
    resources = deployment.applied()
    rule = resources["aws_vpc_security_group_egress_rule.to_web_servers"]
    assert rule["referenced_security_group_id"] == resources["aws_security_group.web_server"]["id"]
    rule = resources["aws_vpc_security_group_ingress_rule.from_load_balancer"]
    assert rule["referenced_security_group_id"] == resources["aws_security_group.load_balancer"]["id"]


def test_a_second_plan_finds_nothing_to_do(second_plan: Plan) -> None:
    for change in second_plan.changes:
        assert change.actions == ("update",), change.address
        assert change.attributes <= FORGOTTEN.get(change.type, set()), f"the emulator's known gaps: {change}"


def test_another_ref_replaces_the_instances(deployment: TerraformRoot) -> None:
    plan = deployment.plan({**DEPLOYED, "repository_ref": "v1.2.0"}, refresh=False)
    changes = {change.address: change for change in plan.changes}
    assert "user_data" in changes["aws_launch_template.web_server"].attributes, "new instances run another script"
    assert "launch_template" in changes["aws_autoscaling_group.storefront"].attributes, "and there are to be new ones"


def test_destroy_leaves_nothing(deployment: TerraformRoot, empty_emulator: Emulator) -> None:
    deployment.destroy(DEPLOYED)
    ec2 = empty_emulator.client("ec2")
    left = {
        "load balancers": empty_emulator.client("elbv2").describe_load_balancers()["LoadBalancers"],
        "target groups": empty_emulator.client("elbv2").describe_target_groups()["TargetGroups"],
        "groups": empty_emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "networks": [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
        "NAT gateways": [gw for gw in ec2.describe_nat_gateways()["NatGateways"] if gw["State"] != "deleted"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "roles": empty_emulator.client("iam").list_roles(PathPrefix="/")["Roles"],
        "alarms": empty_emulator.client("cloudwatch").describe_alarms()["MetricAlarms"],
    }
    assert {kind: found for kind, found in left.items() if found} == {}
