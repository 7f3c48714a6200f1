"""Auto Scaling groups behind a load balancer, where ministack 1.5.33 differs.

- A group registers its instances with its target groups before they are in service.
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
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
from typing import Any

from ministack.core.responses import get_region
from ministack.services import alb, autoscaling, ec2

Parameters = dict[str, Any]

NEVER_HEALTHY = b"emulator-unhealthy"

# One zone does not offer one instance family.
_SCARCE_FAMILY, _ZONE_WITHOUT = "a1.", "a"

_create_group = autoscaling._ACTION_MAP["CreateAutoScalingGroup"]
_instances_xml = autoscaling._instances_xml
_reconcile_instances = autoscaling._reconcile_instances
_parse_template = ec2._parse_lt_data
_template_xml = ec2._lt_data_xml


def patch() -> None:
    """Support target groups of Auto Scaling groups, and report the health of their instances."""
    autoscaling._ACTION_MAP["CreateAutoScalingGroup"] = _create_group_with_targets
    autoscaling._instances_xml = _instances_xml_with_targets
    autoscaling._reconcile_instances = _reconcile_instances_with_time
    alb._ACTION_MAP["DescribeTargetHealth"] = _describe_target_health
    ec2._ACTION_MAP["DescribeInstanceTypeOfferings"] = _describe_instance_type_offerings
    ec2._parse_lt_data = _parse_template_with_interface
    ec2._lt_data_xml = _template_xml_with_interface


def _create_group_with_targets(parameters: Parameters) -> Any:
    response = _create_group(parameters)
    if response[0] == 200:
        group = autoscaling._asgs[autoscaling._p(parameters, "AutoScalingGroupName")]
        group["TargetGroupARNs"] = autoscaling._parse_member_list(parameters, "TargetGroupARNs")
        group["DefaultInstanceWarmup"] = autoscaling._p(parameters, "DefaultInstanceWarmup")
    return response


def _reconcile_instances_with_time(group: Parameters) -> None:
    _reconcile_instances(group)
    for instance in group["Instances"]:
        instance.setdefault("launched_at", time.time())


def _instances_xml_with_targets(group: Parameters) -> str:
    arns = "".join(f"<member>{arn}</member>" for arn in group.get("TargetGroupARNs", []))
    xml = f"<TargetGroupARNs>{arns}</TargetGroupARNs>{_instances_xml(group)}"
    if warmup := group.get("DefaultInstanceWarmup"):
        xml += f"<DefaultInstanceWarmup>{warmup}</DefaultInstanceWarmup>"
    return xml


def _describe_target_health(parameters: Parameters) -> Any:
    arn = alb._p(parameters, "TargetGroupArn")
    requested = {target["Id"] for target in alb._parse_targets_param(parameters)}
    members = "".join(
        f"<member><Target><Id>{instance['InstanceId']}</Id><Port>{alb._tgs[arn]['Port']}</Port></Target>"
        f"<TargetHealth><State>{_health(instance, alb._tgs[arn])}</State></TargetHealth></member>"
        for group in autoscaling._asgs.values()
        if arn in group.get("TargetGroupARNs", [])
        for instance in group["Instances"]
        if not requested or instance["InstanceId"] in requested
    )
    return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")


def _health(instance: Parameters, target_group: Parameters) -> str:
    template = instance["LaunchTemplate"]
    for version in ec2._launch_templates.get(template.get("LaunchTemplateId", ""), {}).get("Versions", []):
        user_data = base64.b64decode(version["LaunchTemplateData"].get("UserData", ""))
        if str(version["VersionNumber"]) == template.get("Version") and NEVER_HEALTHY in user_data:
            return "unhealthy"
    needed = target_group["HealthCheckIntervalSeconds"] * target_group["HealthyThresholdCount"]
    return "initial" if time.time() - instance["launched_at"] < needed else "healthy"


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
    items = "".join(
        f"<item><instanceType>{kind}</instanceType><locationType>availability-zone</locationType>"
        f"<location>{get_region()}{zone}</location></item>"
        for kind in ec2._parse_filters(parameters).get("instance-type", [])
        for zone in "abc"
        if not (kind.startswith(_SCARCE_FAMILY) and zone == _ZONE_WITHOUT)
    )
    body = f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
    return ec2._xml(200, "DescribeInstanceTypeOfferingsResponse", body)
