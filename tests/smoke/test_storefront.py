"""The web servers of the storefront. Its Auto Scaling groups are found by their tags."""

from typing import Any

import pytest

from smoke.system import System


@pytest.fixture
def group(system: System) -> Any:
    project = system.prefix.removesuffix(f"-{system.environment}")
    tags = [("tag:Project", project), ("tag:Environment", system.environment)]
    filters = [{"Name": name, "Values": [value]} for name, value in tags]
    groups = system.all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", Filters=filters)
    if not groups:
        pytest.skip("the region has no storefront of this project and environment")
    assert len(groups) == 1, "a release is not complete: the previous group is still there"
    return groups[0]


def test_web_servers_are_healthy(system: System, group: Any) -> None:
    assert group["TargetGroupARNs"], "no load balancer"
    for arn in group["TargetGroupARNs"]:
        targets = system.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        health = [target["TargetHealth"]["State"] for target in targets]
        assert len(health) >= group["MinSize"]
        assert set(health) == {"healthy"}


def test_session_manager_reaches_all_web_servers(system: System, group: Any) -> None:
    instances = sorted(instance["InstanceId"] for instance in group["Instances"])
    assert instances
    filters = [{"Key": "InstanceIds", "Values": instances}]
    known = system.all("ssm", "describe_instance_information", "InstanceInformationList", Filters=filters)
    online = sorted(instance["InstanceId"] for instance in known if instance["PingStatus"] == "Online")
    assert online == instances, "Session Manager does not reach all web servers"


def test_web_servers_run_the_same_release(group: Any) -> None:
    template = (
        group.get("LaunchTemplate") or group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    )
    versions = {instance["LaunchTemplate"]["Version"] for instance in group["Instances"]}
    assert versions == {template["Version"]}
