"""The storefront on the emulator: update from the previous release, failed and successful releases, destroy.

The tests share one deployment and run in order. The last one destroys it.
"""

import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from infrastructure.variable_rules import errors_of_each
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.frontend import VARIABLES
from support.deployment.terraform import TerraformError, TerraformRoot
from support.prerequisites import require_program
from support.repository.files import REPOSITORY
from support.waiting import wait_for

PREVIOUS_RELEASE = "05faa3a"
GROUP = "module.web_servers.aws_autoscaling_group.storefront"
POLICY = "module.web_servers.aws_autoscaling_policy.requests"
DEPLOYED = {**VARIABLES, "instances_are_private": True}
BROKEN = {**DEPLOYED, "repository_ref": "emulator-unhealthy"}

# Attributes that the emulator does not return.
NOT_RETURNED = {
    "aws_cloudwatch_metric_alarm": {"actions_enabled", "alarm_description", "dimensions", "period", "statistic"}
    | {"treat_missing_data", "datapoints_to_alarm", "metric_query"},
    "aws_autoscaling_group": {"capacity_reservation_specification"},
    "aws_autoscaling_policy": {"target_tracking_configuration"},
    "aws_vpc_security_group_egress_rule": {"tags_all"},
    "aws_vpc_security_group_ingress_rule": {"tags_all"},
}


class Storefront:
    """The deployed storefront, read through the AWS APIs and Terraform."""

    def __init__(self, root: TerraformRoot, emulator: Emulator, update: Mapping[str, str]) -> None:
        self.root = root
        self.update = update
        """Terraform's actions during the update from the previous release; empty in a clone without history."""
        self.emulator = emulator
        self.autoscaling = emulator.client("autoscaling")
        self.elbv2 = emulator.client("elbv2")

    def groups(self) -> dict[str, dict[str, Any]]:
        found = self.autoscaling.describe_auto_scaling_groups(
            Filters=[{"Name": "tag:Name", "Values": ["order-processing-dev-storefront"]}]
        )["AutoScalingGroups"]
        return {group["AutoScalingGroupName"]: group for group in found}

    def healthy(self) -> set[str]:
        """Return the instances that receive requests from the load balancer."""
        targets = self.elbv2.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return {target["Target"]["Id"] for target in targets if target["TargetHealth"]["State"] == "healthy"}

    @cached_property
    def target_group(self) -> str:
        [group] = self.elbv2.describe_target_groups()["TargetGroups"]
        return str(group["TargetGroupArn"])

    @contextmanager
    def sampled_health(self) -> Iterator[list[int]]:
        """Yield the numbers of healthy servers, sampled during a `with` block."""
        numbers: list[int] = []
        done = threading.Event()

        def sample() -> None:
            while not done.wait(0.2):
                numbers.append(len(self.healthy()))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield numbers
        finally:
            done.set()
            thread.join()


def instances(group: dict[str, Any]) -> set[str]:
    return {instance["InstanceId"] for instance in group["Instances"]}


def previous_release(directory: Path) -> Path | None:
    """Return the Terraform folder of the previous release, or None in a clone without history."""
    git = require_program("git", "install git to test an update")
    archive = subprocess.run(
        [git, "-C", REPOSITORY, "archive", PREVIOUS_RELEASE, "terraform-frontend"], capture_output=True, check=False
    )
    if archive.returncode != 0:
        return None
    subprocess.run(["tar", "--extract", "--directory", directory], input=archive.stdout, check=True)
    return directory / "terraform-frontend"


@pytest.fixture(scope="module")
def storefront(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storefront]:
    """The storefront with shorter timeouts, updated from the previous release."""
    require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    directory = tmp_path_factory.mktemp("terraform")
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        root = TerraformRoot(REPOSITORY / "terraform-frontend", directory / "new", emulator.environment)
        servers = root.directory / "modules" / "web_servers" / "main.tf"
        text = servers.read_text()
        for usual, short in (("interval            = 10", "interval = 5"), ('_timeout = "10m"', '_timeout = "25s"')):
            assert text.count(usual) == 1
            text = text.replace(usual, short)
        servers.write_text(text)
        if source := previous_release(tmp_path_factory.mktemp("source")):
            previous = TerraformRoot(source, directory / "previous", emulator.environment)
            previous.apply(DEPLOYED)
            shutil.copy(previous.directory / "terraform.tfstate", root.directory)
        actions = root.apply(DEPLOYED)
        yield Storefront(root, emulator, actions if source else {})


def test_update_replaces_only_the_group_and_its_policy(storefront: Storefront) -> None:
    if not storefront.update:
        pytest.skip(f"this clone lacks commit {PREVIOUS_RELEASE}: fetch the whole history")
    removed = {address for address, action in storefront.update.items() if action in ("delete", "replace")}
    assert removed == {GROUP, POLICY}
    created = {address for address, action in storefront.update.items() if action == "create"}
    assert created == {'module.web_servers.aws_cloudwatch_metric_alarm.hosts["missing-hosts"]'}


def test_outputs_name_existing_resources(storefront: Storefront, tmp_path: Path) -> None:
    outputs = storefront.root.outputs()
    [balancer] = storefront.elbv2.describe_load_balancers()["LoadBalancers"]
    assert balancer["DNSName"] == outputs["load_balancer_dns_name"]
    assert balancer["CanonicalHostedZoneId"] == outputs["load_balancer_zone_id"]
    assert list(storefront.groups()) == [outputs["autoscaling_group_name"]]
    assert outputs["storefront_url"] == f"http://{outputs['load_balancer_dns_name']}"
    origins = {"cors_allowed_origins": [outputs["storefront_url"]], "notification_email": "operations@example.com"}
    assert errors_of_each("terraform-backend", [origins], tmp_path) == [[]], "the backend must accept the origin"


def test_servers_start_in_private_subnets_and_are_registered(storefront: Storefront) -> None:
    [group] = storefront.groups().values()
    private = {values["id"] for name, values in storefront.root.applied().items() if ".aws_subnet.private[" in name}
    assert set(group["VPCZoneIdentifier"].split(",")) == private
    assert len(instances(group)) == 2
    assert instances(group) == storefront.healthy()


def test_second_plan_changes_nothing_after_scaling(storefront: Storefront) -> None:
    [name] = storefront.groups()
    storefront.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    for change in storefront.root.plan(DEPLOYED).changes:
        assert change.actions == ("update",), change.address
        assert change.attributes <= NOT_RETURNED.get(change.type, set()), f"known gaps of the emulator: {change}"
    wait_for("the new servers to be healthy", lambda: len(storefront.healthy()) == 4)


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_broken_release_fails_and_the_old_group_serves(storefront: Storefront, attempt: str) -> None:
    # The second attempt replaces the failed group. Terraform keeps the serving group as a deposed object.
    [serving] = [group for group in storefront.groups().values() if instances(group) <= storefront.healthy()]
    with storefront.sampled_health() as healthy, pytest.raises(TerraformError) as failure:
        storefront.root.apply(BROKEN)
    assert "at least 4 healthy instance(s) registered to Load Balancer, have 0" in str(failure.value)
    assert serving["AutoScalingGroupName"] in storefront.groups()
    assert instances(serving) == storefront.healthy()
    assert min(healthy) == 4
    [policy] = storefront.autoscaling.describe_policies()["ScalingPolicies"]
    assert policy["AutoScalingGroupName"] == serving["AutoScalingGroupName"], (
        "the serving group must keep its scaling policy"
    )


def test_release_serves_before_the_old_group_is_destroyed(storefront: Storefront) -> None:
    before = storefront.groups()
    assert len(before) >= 2, "the serving group and the failed one"
    with storefront.sampled_health() as healthy:
        storefront.root.apply({**DEPLOYED, "repository_ref": "v1.2.0"})
    [(name, group)] = storefront.groups().items()
    assert name not in before
    assert group["DesiredCapacity"] == 4, "the new group must have the capacity of the old one"
    assert instances(group) == storefront.healthy()
    assert min(healthy) >= 4, "the capacity must not drop during the release"
    [policy] = storefront.autoscaling.describe_policies()["ScalingPolicies"]
    assert policy["AutoScalingGroupName"] == name


def test_destroy_deletes_all_resources(storefront: Storefront) -> None:
    storefront.root.destroy(DEPLOYED)
    ec2 = storefront.emulator.client("ec2")
    left = {
        "load balancers": storefront.elbv2.describe_load_balancers()["LoadBalancers"],
        "target groups": storefront.elbv2.describe_target_groups()["TargetGroups"],
        "groups": storefront.groups(),
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "networks": [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
        "NAT gateways": [gw for gw in ec2.describe_nat_gateways()["NatGateways"] if gw["State"] != "deleted"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "roles": storefront.emulator.client("iam").list_roles(PathPrefix="/")["Roles"],
        "alarms": storefront.emulator.client("cloudwatch").describe_alarms()["MetricAlarms"],
    }
    assert {kind: found for kind, found in left.items() if found} == {}
