"""Auto Scaling groups behind a load balancer, where ministack 1.5.33 differs.

- A group registers its instances with its target groups before they are in service. Groups can be filtered by tag.
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
- A new target is `initial` until it has passed its health checks, or `unhealthy` if it never does.
  https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
- A launch template keeps its network interface and its CPU credits.
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResponseLaunchTemplateData.html
- Not every zone offers every instance type.
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html

No instance boots here. An instance with `emulator-unhealthy` in its user data never becomes healthy.
"""

import base64
import re
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_region
from ministack.services import alb, autoscaling, ec2

Parameters = dict[str, Any]

NEVER_HEALTHY = b"emulator-unhealthy"

# One zone lacks one family.
_SCARCE_FAMILY, _ZONE_WITHOUT = "a1.", "a"

_parse_template = ec2._parse_lt_data
_template_xml = ec2._lt_data_xml


def patch_auto_scaling() -> None:
    """Register instances of Auto Scaling groups as targets, and report their health."""
    actions = autoscaling._ACTION_MAP
    actions["CreateAutoScalingGroup"] = _creating(actions["CreateAutoScalingGroup"])
    actions["DescribeAutoScalingGroups"] = _describing(actions["DescribeAutoScalingGroups"])
    actions["DeleteAutoScalingGroup"] = _registering(actions["DeleteAutoScalingGroup"])
    for action in ("UpdateAutoScalingGroup", "SetDesiredCapacity"):
        actions[action] = _registering(actions[action])
    alb._ACTION_MAP["DescribeTargetHealth"] = _describe_target_health
    ec2._ACTION_MAP["DescribeInstanceTypeOfferings"] = _describe_instance_type_offerings
    ec2._parse_lt_data = _parse_template_with_interface
    ec2._lt_data_xml = _template_xml_with_interface


def _creating(create: Callable[[Parameters], Any]) -> Callable[[Parameters], Any]:
    def handle(parameters: Parameters) -> Any:
        response = create(parameters)
        name = autoscaling._p(parameters, "AutoScalingGroupName")
        if response[0] == 200:
            group = autoscaling._asgs[name]
            group["TargetGroupARNs"] = autoscaling._parse_member_list(parameters, "TargetGroupARNs")
            group["DefaultInstanceWarmup"] = autoscaling._p(parameters, "DefaultInstanceWarmup")
            template = ec2._launch_templates.get(group["LaunchTemplate"].get("LaunchTemplateId", ""))
            if template:
                group["LaunchTemplate"]["LaunchTemplateName"] = template["LaunchTemplateName"]
            _register(group)
        return response

    return handle


def _registering(change: Callable[[Parameters], Any]) -> Callable[[Parameters], Any]:
    """Return `change`, after which terminated instances are deregistered and launched ones are registered."""

    def handle(parameters: Parameters) -> Any:
        name = autoscaling._p(parameters, "AutoScalingGroupName")
        before = autoscaling._asgs.get(name, {})
        former = {instance["InstanceId"] for instance in before.get("Instances", [])}
        response = change(parameters)
        after = autoscaling._asgs.get(name, {})
        left = former - {instance["InstanceId"] for instance in after.get("Instances", [])}
        for arn in before.get("TargetGroupARNs", []):
            alb._targets[arn] = [target for target in alb._targets.get(arn, []) if target["Id"] not in left]
        _register(after)
        return response

    return handle


def _register(group: Parameters) -> None:
    template = group.get("LaunchTemplate", {})
    versions = ec2._launch_templates.get(template.get("LaunchTemplateId", ""), {}).get("Versions", [])
    user_data = [
        base64.b64decode(version["LaunchTemplateData"].get("UserData", ""))
        for version in versions
        if str(version["VersionNumber"]) == template.get("Version")
    ]
    for arn in group.get("TargetGroupARNs", []):
        targets = alb._targets.setdefault(arn, [])
        registered = {target["Id"] for target in targets}
        targets += [
            {
                "Id": instance["InstanceId"],
                "Port": alb._tgs[arn]["Port"],
                "registered_at": time.time(),
                "is_broken": any(NEVER_HEALTHY in data for data in user_data),
            }
            for instance in group["Instances"]
            if instance["InstanceId"] not in registered
        ]


def _health(target: Parameters, group: Parameters) -> str:
    if target.get("is_broken"):
        return "unhealthy"
    needed = group["HealthCheckIntervalSeconds"] * group["HealthyThresholdCount"]
    return "initial" if time.time() - target.get("registered_at", 0) < needed else "healthy"


def _describe_target_health(parameters: Parameters) -> Any:
    arn = alb._p(parameters, "TargetGroupArn")
    if arn not in alb._tgs:
        return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
    asked = {target["Id"] for target in alb._parse_targets_param(parameters)}
    members = "".join(
        f"<member><Target><Id>{target['Id']}</Id><Port>{target.get('Port', alb._tgs[arn]['Port'])}</Port></Target>"
        f"<TargetHealth><State>{_health(target, alb._tgs[arn])}</State></TargetHealth></member>"
        for target in alb._targets.get(arn, [])
        if not asked or target["Id"] in asked
    )
    return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")


def _describing(describe: Callable[[Parameters], Any]) -> Callable[[Parameters], Any]:
    def handle(parameters: Parameters) -> Any:
        names = autoscaling._parse_member_list(parameters, "AutoScalingGroupNames") or list(autoscaling._asgs.keys())
        found = [name for name in names if name in autoscaling._asgs and _has_tags(autoscaling._asgs[name], parameters)]
        asked = {f"AutoScalingGroupNames.member.{i}": name for i, name in enumerate(found or ["-"], 1)}
        status, headers, body = describe(asked)
        text = body.decode()
        for name in found:
            group = autoscaling._asgs[name]
            arns = "".join(f"<member>{arn}</member>" for arn in group.get("TargetGroupARNs", []))
            more = f"<TargetGroupARNs>{arns}</TargetGroupARNs>"
            if group.get("DefaultInstanceWarmup"):
                more += f"<DefaultInstanceWarmup>{group['DefaultInstanceWarmup']}</DefaultInstanceWarmup>"
            text = text.replace(
                f"<AutoScalingGroupName>{name}</AutoScalingGroupName>",
                f"<AutoScalingGroupName>{name}</AutoScalingGroupName>{more}",
            )
        return status, headers, text.encode()

    return handle


def _has_tags(group: Parameters, parameters: Parameters) -> bool:
    tags = {f"tag:{tag['Key']}": tag["Value"] for tag in group.get("Tags", [])}
    number = 1
    while name := autoscaling._p(parameters, f"Filters.member.{number}.Name"):
        values = autoscaling._parse_member_list(parameters, f"Filters.member.{number}.Values")
        if tags.get(name) not in values:
            return False
        number += 1
    return True


def _parse_template_with_interface(parameters: Parameters, prefix: str = "LaunchTemplateData") -> Any:
    interface = f"{prefix}.NetworkInterface.1."
    if any(name.startswith(interface) for name in parameters):
        parameters = {f"{interface}DeviceIndex": "0", **parameters}
    data = _parse_template(parameters, prefix)
    if kept := ec2._p(parameters, f"{interface}DeleteOnTermination"):
        data["NetworkInterfaces"][0]["DeleteOnTermination"] = kept
    if credits := ec2._p(parameters, f"{prefix}.CreditSpecification.CpuCredits"):
        data["CpuCredits"] = credits
    return data


def _template_xml_with_interface(data: Parameters) -> str:
    xml = str(_template_xml(data))
    xml = re.sub(r"<groupSet>.*?</groupSet>", lambda groups: groups[0].replace("item>", "groupId>"), xml)
    if data.get("NetworkInterfaces") and (kept := data["NetworkInterfaces"][0].get("DeleteOnTermination")):
        end = "</item></networkInterfaceSet>"
        xml = xml.replace(end, f"<deleteOnTermination>{kept}</deleteOnTermination>{end}")
    if "CpuCredits" in data:
        xml += f"<creditSpecification><cpuCredits>{data['CpuCredits']}</cpuCredits></creditSpecification>"
    return xml


def _describe_instance_type_offerings(parameters: Parameters) -> Any:
    kinds = ec2._parse_filters(parameters).get("instance-type", [])
    items = "".join(
        f"<item><instanceType>{kind}</instanceType><locationType>availability-zone</locationType>"
        f"<location>{get_region()}{zone}</location></item>"
        for kind in kinds
        for zone in "abc"
        if not (kind.startswith(_SCARCE_FAMILY) and zone == _ZONE_WITHOUT)
    )
    return ec2._xml(
        200, "DescribeInstanceTypeOfferingsResponse", f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
    )
