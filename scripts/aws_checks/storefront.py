"""Whether the storefront's web servers are as a real Auto Scaling group runs them."""

from typing import Any

from aws_checks.check import Outcome, Progress, failed, not_tried, proven
from aws_checks.deployment import Deployment

_NO_GROUP = "no --autoscaling-group was given (output autoscaling_group_name of terraform-frontend)"


def _group(deployment: Deployment) -> Any:
    described = deployment.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[deployment.autoscaling_group]
    )["AutoScalingGroups"]
    return described[0] if described else None


def web_servers_are_healthy(deployment: Deployment, progress: Progress) -> Outcome:
    """Look what the load balancer says of each web server."""
    if not deployment.autoscaling_group:
        return not_tried(_NO_GROUP)
    group = _group(deployment)
    if group is None or not group["TargetGroupARNs"]:
        return failed(f"there is no group {deployment.autoscaling_group} behind a load balancer")
    health = [
        target["TargetHealth"]["State"]
        for arn in group["TargetGroupARNs"]
        for target in deployment.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    ]
    if len(health) < group["MinSize"] or set(health) != {"healthy"}:
        return failed(f"of at least {group['MinSize']} web servers: {', '.join(health) or 'none'}")
    return proven(f"{len(health)} web servers are healthy")


def sessions_can_be_opened(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether each web server's agent of Session Manager has reported."""
    if not deployment.autoscaling_group:
        return not_tried(_NO_GROUP)
    group = _group(deployment)
    instances = {instance["InstanceId"] for instance in group["Instances"]} if group else set()
    if not instances:
        return failed(f"{deployment.autoscaling_group} has no instances")
    pages = deployment.client("ssm").get_paginator("describe_instance_information")
    online = {
        instance["InstanceId"]
        for page in pages.paginate(Filters=[{"Key": "InstanceIds", "Values": sorted(instances)}])
        for instance in page["InstanceInformationList"]
        if instance["PingStatus"] == "Online"
    }
    if missing := instances - online:
        return failed(f"Session Manager does not reach {', '.join(sorted(missing))}")
    return proven(f"Session Manager reaches all {len(instances)} web servers")
