"""The storefront's plans: network, security, releases, alarms and names."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from infrastructure.conftest import BOUNDARY, FRONTEND_CHOSEN, RUNBOOK_URL, SCARCE_INSTANCE_TYPE
from infrastructure.test_invariants import links_its_section
from planning.cost import STOREFRONT_ALARM_METRICS
from support.deployment.emulator import Emulator
from support.deployment.frontend import API_URL, IMAGE, LISTEN_ADDRESS, REPOSITORY_URL, VARIABLES, user_data
from support.deployment.terraform import Plan, Resources, SideBySide
from support.repository.files import REPOSITORY

TAGS = {"Project": "order-processing", "Environment": "dev"}

# https://docs.aws.amazon.com/systems-manager/latest/userguide/verify-agent-signature.html
SSM_AGENT_KEY = "1C5B395CBE5E74E2F1CA21592784DBF388D19D46"


@pytest.fixture(scope="module")
def resources(frontend_plan: Plan) -> Resources:
    return frontend_plan.resources


@pytest.fixture(scope="module")
def prod(frontend_production_plan: Plan) -> Resources:
    return frontend_production_plan.resources


def only(resources: Resources, kind: str) -> dict[str, Any]:
    [values] = resources.of_type(kind).values()
    return values


# Network


def ranges(resources: Resources) -> dict[str, str]:
    """Return the CIDR block of each public subnet by the letter of its zone."""
    subnets = resources.of_type("aws_subnet").values()
    return {subnet["availability_zone"][-1]: subnet["cidr_block"] for subnet in subnets}


def test_zone_without_the_instance_type_is_skipped_and_longest_names_fit(
    frontend_plans: dict[str, Plan], resources: Resources
) -> None:
    earlier = {"a": "10.20.0.0/20", "b": "10.20.16.0/20"}
    assert ranges(resources) == earlier, "the ranges must equal those of earlier releases"
    chosen = frontend_plans["scarce_instance_type_and_longest_names"].resources
    assert ranges(chosen) == {"b": "10.20.16.0/20", "c": "10.20.32.0/20"}, "zone b must keep its range"
    load_balancer = only(chosen, "aws_lb")["name"]
    assert len(load_balancer) == 32
    assert not load_balancer.endswith("-")
    assert len(only(chosen, "aws_iam_role")["name"]) <= 64


def test_unusable_zones_subnets_and_image_are_reported(
    emulator: Emulator, existing_network: dict[str, Any], tmp_path: Path
) -> None:
    ec2 = emulator.client("ec2")
    # The plan must not use another publisher's image with a matching name.
    ec2.register_image(Name="debian-13-arm64-20260101-1", Architecture="arm64", VirtualizationType="hvm")
    zone_a = ec2.create_subnet(VpcId=existing_network["vpc_id"], CidrBlock="10.9.2.0/24", AvailabilityZone="eu-west-1a")
    one_zone = [existing_network["instance_subnet_ids"][0], zone_a["Subnet"]["SubnetId"]]
    network = {**existing_network, "load_balancer_subnet_ids": one_zone, "instance_subnet_ids": one_zone}
    zones = {"instance_type": SCARCE_INSTANCE_TYPE, "availability_zones": ["eu-west-1a", "eu-west-1b"]}
    sets = {
        "zones": {**VARIABLES, **zones},
        "network": {**VARIABLES, "existing_network": network},
        "image": {name: value for name, value in VARIABLES.items() if name != "ami_id"},
    }
    errors = SideBySide(REPOSITORY / "terraform-frontend", tmp_path, emulator.environment, sets).errors(sets)
    expected = {
        "zones that offer a1.medium as availability_zones (eu-west-1b, eu-west-1c)",
        "one subnet for each zone",
        "subnets of two zones or more",
        "query returned no results",
    }
    assert {advice for advice in expected for error in errors if advice in error} == expected
    assert len(errors) == len(expected)


def test_optional_resources_exist_only_when_chosen(resources: Resources, prod: Resources) -> None:
    for kind in ("aws_nat_gateway", "aws_flow_log", "aws_wafv2_web_acl_association", "aws_route53_record"):
        assert not resources.of_type(kind), kind
        assert prod.of_type(kind), kind
    # A NAT gateway per zone
    for kind in ("aws_nat_gateway.zone", "aws_eip.nat", "aws_route.nat", "aws_route_table_association.private"):
        assert all(f'module.network[0].{kind}["{zone}"]' in prod for zone in FRONTEND_CHOSEN["availability_zones"])


def test_load_balancer_depends_on_the_internet_gateway(frontend_plan: Plan) -> None:
    network = frontend_plan.configuration["module_calls"]["network"]["module"]
    dependencies = network["outputs"]["network"]["depends_on"]
    assert {"aws_route.internet", "aws_route_table_association.public"} <= set(dependencies)


# Security


def test_security_groups_allow_only_the_load_balancer_and_web_ports(resources: Resources, prod: Resources) -> None:
    for deployed, ports, cidrs in (
        (resources, [80], ["0.0.0.0/0"]),
        (prod, [80, 443], FRONTEND_CHOSEN["allowed_cidrs"]),
    ):
        ingress = deployed.of_type("aws_vpc_security_group_ingress_rule").values()
        admitted = {(rule["from_port"], rule["to_port"], rule["cidr_ipv4"]) for rule in ingress}
        # None means that the source is the load balancer's security group.
        assert admitted == {(80, 80, None), *((port, port, cidr) for port in ports for cidr in cidrs)}
        egress = deployed.of_type("aws_vpc_security_group_egress_rule").values()
        assert {(rule["to_port"], rule["cidr_ipv4"]) for rule in egress} == {
            (80, None),
            (80, "0.0.0.0/0"),
            (443, "0.0.0.0/0"),
        }
    # The emulator accepts all characters: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    for address, values in prod.items():
        if "security_group" in address and values.get("description"):
            assert re.fullmatch(r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}", values["description"]), address


def test_listener_has_the_tls_policy_that_aws_recommends(prod: Resources) -> None:
    https = prod["module.web_servers.aws_lb_listener.https[0]"]
    assert https["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"


def test_web_server_role_allows_only_session_manager(frontend_plan: Plan) -> None:
    [policy] = [data for name, data in frontend_plan.data.items() if name.endswith("policy_document.web_server")]
    [statement] = policy["statement"]
    assert {action.partition(":")[0] for action in statement["actions"]} == {"ssm", "ssmmessages"}
    assert "ssm:GetParameter" not in statement["actions"]


def test_agent_signing_key_has_the_fingerprint_of_aws(frontend_plan: Plan) -> None:
    key = re.search(r"<<'KEY'\n(.*?)\nKEY\n", user_data(frontend_plan), re.DOTALL)
    assert key
    packet = base64.b64decode(key[1])
    # RFC 4880, 4.2 and 12.2: a public key packet with a two-byte length, and its fingerprint.
    assert packet[0] == 0x99
    body = packet[: 3 + int.from_bytes(packet[1:3], "big")]
    assert hashlib.sha1(body, usedforsecurity=False).hexdigest().upper() == SSM_AGENT_KEY


# Servers and releases


def test_user_data_contains_the_variables(frontend_plan: Plan, frontend_production_plan: Plan) -> None:
    script = user_data(frontend_plan)
    assert f'apiUrl: "{API_URL}"' in script
    assert f"connect-src {API_URL};" in script
    assert f"fetch --quiet --depth 1 '{REPOSITORY_URL}' 'main'" in script
    assert script.count(LISTEN_ADDRESS) == 2, "Apache's Listen and VirtualHost directives"
    assert "Strict-Transport-Security" not in script, "browsers ignore it without TLS"
    assert f"'{FRONTEND_CHOSEN['repository_ref']}'" in user_data(frontend_production_plan)
    assert 'Strict-Transport-Security "max-age=31536000"' in user_data(frontend_production_plan)
    [keep_alive] = re.findall(r"KeepAliveTimeout (\d+)", script)
    assert int(keep_alive) > only(frontend_plan.resources, "aws_lb")["idle_timeout"], (
        "a shorter timeout causes 502 responses"
    )


TEMPLATE, GROUP = "aws_launch_template", "aws_autoscaling_group"

# Path below a resource, its default, and its value in the plan with every option.
SETTINGS: list[tuple[str, Any, Any]] = [
    (f"{TEMPLATE}/key_name", None, None),  # no SSH
    (f"{TEMPLATE}/metadata_options/0/http_tokens", "required", "required"),  # IMDSv2
    (f"{TEMPLATE}/metadata_options/0/http_put_response_hop_limit", 1, 1),
    (f"{TEMPLATE}/block_device_mappings/0/ebs/0/encrypted", "true", "true"),
    (f"{TEMPLATE}/block_device_mappings/0/device_name", "/dev/xvda", "/dev/sda1"),
    (f"{TEMPLATE}/image_id", IMAGE, IMAGE),
    (f"{TEMPLATE}/instance_type", "t4g.micro", "c8g.medium"),
    (f"{TEMPLATE}/credit_specification/0/cpu_credits", "unlimited", None),  # EC2 accepts credits only for T instances
    (f"{TEMPLATE}/network_interfaces/0/associate_public_ip_address", "true", "false"),
    (f"{GROUP}/health_check_type", "ELB", "ELB"),
    (f"{GROUP}/min_size", 2, 3),
    (f"{GROUP}/max_size", 4, 9),
    (f"{GROUP}/desired_capacity", 2, 3),
    (f"{GROUP}/min_elb_capacity", 2, 3),  # apply waits for all of them
    (f"{GROUP}/instance_refresh", [], []),  # releases are blue/green
    ("aws_lb_target_group/stickiness/0/type", "lb_cookie", "lb_cookie"),  # a session must stay on one release
    ("aws_lb_target_group/stickiness/0/enabled", True, True),
    ("module.web_servers.aws_lb_listener.http/default_action/0/type", "forward", "redirect"),
    ("module.web_servers.aws_lb_listener.http/default_action/0/redirect/0/protocol", None, "HTTPS"),
    ("aws_iam_role/permissions_boundary", None, BOUNDARY),
]


@pytest.mark.parametrize(("path", "default", "chosen"), SETTINGS)
def test_variable_sets_its_attribute(
    resources: Resources, prod: Resources, path: str, default: Any, chosen: Any
) -> None:
    for deployed, expected in ((resources, default), (prod, chosen)):
        found = deployed.at(path)
        assert found == [expected] * (len(found) or 1)


def test_default_image_is_published_by_debian(frontend_plan: Plan) -> None:
    configured = frontend_plan.configuration["resources"]
    [image] = [resource["expressions"] for resource in configured if resource["type"] == "aws_ami"]
    assert image["owners"]["constant_value"] == ["136693071363"], "https://wiki.debian.org/Cloud/AmazonEC2Image"


# Alarms


@pytest.mark.parametrize(
    ("name", "metrics", "comparison", "threshold", "minutes", "missing"),
    [
        ("unhealthy-hosts", {"UnHealthyHostCount"}, "GreaterThanThreshold", 0, 3, "notBreaching"),
        ("missing-hosts", {"HealthyHostCount"}, "LessThanThreshold", 2, 5, "breaching"),
        ("storefront-5xx", {"HTTPCode_Target_5XX_Count", "RequestCount"}, "GreaterThanThreshold", 5, 3, "notBreaching"),
        ("load-balancer-5xx", {"HTTPCode_ELB_5XX_Count", "RequestCount"}, "GreaterThanThreshold", 5, 3, "notBreaching"),
    ],
)
def test_alarm_has_the_expected_settings(
    name: str, metrics: set[str], comparison: str, threshold: int, minutes: int, missing: str, resources: Resources
) -> None:
    [alarm] = [values for address, values in resources.items() if f'["{name}"]' in address]
    queried = {metric["metric_name"] for query in alarm["metric_query"] or [] for metric in query["metric"]}
    assert (queried or {alarm["metric_name"]}) == metrics
    assert (alarm["comparison_operator"], alarm["threshold"]) == (comparison, threshold)
    assert (alarm["datapoints_to_alarm"], alarm["evaluation_periods"]) == (minutes, 5)
    assert alarm["treat_missing_data"] == missing


def test_every_alarm_notifies_and_links_its_runbook_section(resources: Resources, prod: Resources) -> None:
    for deployed, topics, runbook in (
        (resources, [], "docs/runbook.md"),
        (prod, [FRONTEND_CHOSEN["alerts_topic_arn"]], RUNBOOK_URL),
    ):
        alarms = deployed.of_type("aws_cloudwatch_metric_alarm")
        for name, alarm in alarms.items():
            assert links_its_section(alarm["alarm_name"], alarm["alarm_description"]), name
            assert f" {runbook}#" in alarm["alarm_description"], name
            assert len(alarm["alarm_description"]) < 900, "CloudWatch's limit is 1024, and names may be longer"
            assert (alarm["alarm_actions"] or [], alarm["ok_actions"] or []) == (topics, topics), name
        paid = sum(max(1, len(alarm["metric_query"] or []) - 1) for alarm in alarms.values())
        assert paid == STOREFRONT_ALARM_METRICS


# Tags and names


def test_every_resource_with_tags_has_project_and_environment(resources: Resources) -> None:
    tagged = {address: values["tags_all"] for address, values in resources.items() if "tags_all" in values}
    assert len(tagged) > 10
    for each in only(resources, "aws_launch_template")["tag_specifications"]:
        tagged[each["resource_type"]] = each["tags"]
    tagged["group"] = {tag["key"]: tag["value"] for tag in only(resources, "aws_autoscaling_group")["tag"]}
    assert [name for name, tags in tagged.items() if not TAGS.items() <= tags.items()] == []


def test_deployments_share_no_name(resources: Resources, prod: Resources) -> None:
    def names(deployed: Resources) -> set[str]:
        found = {values.get("name") or values.get("name_prefix") for values in deployed.values()}
        return {name for name in found if name and name not in ("session-manager", "flow-log", "store-")}

    assert names(resources)
    assert names(resources).isdisjoint(names(prod))


def test_existing_network_is_used(frontend_plans: dict[str, Plan], existing_network: dict[str, Any]) -> None:
    resources = frontend_plans["existing_network"].resources
    assert not [address for address in resources if address.startswith("module.network")]
    subnets = sorted(existing_network["instance_subnet_ids"])
    assert sorted(only(resources, "aws_lb")["subnets"]) == subnets
    assert sorted(only(resources, "aws_autoscaling_group")["vpc_zone_identifier"]) == subnets
