"""The frontend that Terraform plans is the one of the design: every number and rule of it, as data."""

import re
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from deployment.emulator import Emulator
from deployment.frontend import API_URL, IMAGE, LISTEN_ADDRESS, REPOSITORY_URL, VARIABLES, user_data
from deployment.terraform import Plan, Resources, TerraformRoot
from infrastructure.invariants import leads_to_its_section
from repository.files import REPOSITORY

PREFIX = "order-processing-dev"
TAGS = {"Project": "order-processing", "Environment": "dev"}
CERTIFICATE = "arn:aws:acm:ap-southeast-2:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPIC = "arn:aws:sns:ap-southeast-2:123456789012:order-processing-prod-alerts"
WEB_ACL = "arn:aws:wafv2:ap-southeast-2:123456789012:regional/webacl/shop/1234abcd-12ab-34cd-56ef-1234567890ab"
# https://wiki.debian.org/Cloud/AmazonEC2Image
DEBIAN = "136693071363"

BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"
RUNBOOK_URL = f"https://wiki.example.com/{'r' * 275}"  # as long as it may be


@pytest.fixture(scope="module")
def frontend(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> TerraformRoot:
    directory = tmp_path_factory.mktemp("terraform") / "terraform-frontend"
    return TerraformRoot(REPOSITORY / "terraform-frontend", directory, emulator.environment)


@pytest.fixture(scope="module")
def default_plan(frontend: TerraformRoot) -> Plan:
    return frontend.plan(VARIABLES)


@pytest.fixture(scope="module")
def resources(default_plan: Plan) -> Resources:
    return default_plan.resources


@pytest.fixture(scope="module")
def production_plan(frontend: TerraformRoot) -> Plan:
    """Another deployment in the same account, with everything that can be chosen."""
    chosen = {
        "environment": "prod",
        "aws_region": "ap-southeast-2",
        "permissions_boundary_arn": BOUNDARY,
        "vpc_cidr": "172.16.0.0/20",
        "availability_zones": ["ap-southeast-2a", "ap-southeast-2b", "ap-southeast-2c"],
        "instances_are_private": True,
        "flow_logs_enabled": True,
        "log_retention_days": 400,
        "allowed_cidrs": ["203.0.113.0/24", "198.51.100.0/24"],
        "certificate_arn": CERTIFICATE,
        "domain_name": "shop.example.com",
        "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
        "web_acl_arn": WEB_ACL,
        "access_log_bucket": "shop-access-logs",
        "repository_ref": "v1.2.0",
        "root_device_name": "/dev/sda1",
        "instance_type": "c8g.medium",
        "min_size": 3,
        "max_size": 9,
        "alerts_topic_arn": TOPIC,
        "runbook_url": RUNBOOK_URL,
    }
    return frontend.plan({**VARIABLES, **chosen})


@pytest.fixture(scope="module")
def production(production_plan: Plan) -> Resources:
    return production_plan.resources


def only(resources: Resources, kind: str) -> dict[str, Any]:
    [values] = resources.of_type(kind).values()
    return values


def block(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    [found] = values[name]
    return dict(found)


# Network


def test_the_network_spreads_over_two_zones(resources: Resources) -> None:
    subnets = resources.of_type("aws_subnet").values()
    assert {subnet["availability_zone"] for subnet in subnets} == {"eu-west-1a", "eu-west-1b"}
    assert sorted(subnet["cidr_block"] for subnet in subnets) == ["10.20.0.0/20", "10.20.16.0/20"]


def test_by_default_nothing_is_paid_for_but_load_balancer_and_instances(resources: Resources) -> None:
    for kind in (
        "aws_nat_gateway",
        "aws_eip",
        "aws_flow_log",
        "aws_wafv2_web_acl_association",
        "aws_cloudwatch_log_group",
    ):
        assert resources.of_type(kind) == {}, kind
    assert (
        block(resources["aws_launch_template.web_server"], "network_interfaces")["associate_public_ip_address"]
        == "true"
    )


def test_private_instances_have_a_way_out_in_each_zone_that_needs_no_other(production: Resources) -> None:
    zones = {"ap-southeast-2a", "ap-southeast-2b", "ap-southeast-2c"}
    for kind in (
        "aws_subnet.private",
        "aws_nat_gateway.zone",
        "aws_eip.nat",
        "aws_route.nat",
        "aws_route_table_association.private",
    ):
        assert {address for address in production if address.startswith(f"{kind}[")} == {
            f'{kind}["{zone}"]' for zone in zones
        }
    assert (
        block(production["aws_launch_template.web_server"], "network_interfaces")["associate_public_ip_address"]
        == "false"
    )


def test_no_subnet_gives_out_public_addresses_by_itself(production: Resources) -> None:
    assert not any(subnet["map_public_ip_on_launch"] for subnet in production.of_type("aws_subnet").values())


def test_the_networks_own_security_group_admits_nothing(resources: Resources) -> None:
    group = resources["aws_default_security_group.closed[0]"]
    assert not group.get("ingress")
    assert not group.get("egress")


def test_the_traffic_is_logged_on_request_and_kept_as_long_as_chosen(production: Resources) -> None:
    assert production["aws_flow_log.storefront[0]"]["traffic_type"] == "ALL"
    assert production["aws_cloudwatch_log_group.flow[0]"]["retention_in_days"] == 400


# Security groups


def test_instances_admit_traffic_from_the_load_balancer_only(resources: Resources) -> None:
    ingress = resources.of_type("aws_vpc_security_group_ingress_rule")
    assert set(ingress) == {
        'aws_vpc_security_group_ingress_rule.customers["80 from 0.0.0.0/0"]',
        "aws_vpc_security_group_ingress_rule.from_load_balancer",
    }
    rule = ingress["aws_vpc_security_group_ingress_rule.from_load_balancer"]
    assert (rule["ip_protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 80, 80)
    assert (rule["cidr_ipv4"], rule["cidr_ipv6"], rule["prefix_list_id"]) == (None, None, None)


def test_instances_reach_the_web_and_nothing_else(resources: Resources) -> None:
    rules = [
        values
        for address, values in resources.of_type("aws_vpc_security_group_egress_rule").items()
        if "to_web_servers" not in address
    ]
    assert sorted((rule["ip_protocol"], rule["from_port"], rule["to_port"]) for rule in rules) == [
        ("tcp", 80, 80),
        ("tcp", 443, 443),
    ]


def test_the_load_balancer_admits_whom_it_is_told_to(production: Resources) -> None:
    rules = [
        values
        for address, values in production.of_type("aws_vpc_security_group_ingress_rule").items()
        if ".customers[" in address
    ]
    assert {(rule["from_port"], rule["to_port"], rule["cidr_ipv4"]) for rule in rules} == {
        (port, port, cidr) for port in (80, 443) for cidr in ("203.0.113.0/24", "198.51.100.0/24")
    }


def test_every_description_is_one_that_ec2_takes(production: Resources) -> None:
    # The emulator takes any: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    kinds = ("aws_security_group", "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")
    for kind in kinds:
        for address, values in production.of_type(kind).items():
            assert re.fullmatch(r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}", values["description"]), address


# Load balancer


def test_the_load_balancer_drops_malformed_headers_and_is_protected_in_prod_alone(
    resources: Resources, production: Resources
) -> None:
    for deployed, is_protected in ((resources, False), (production, True)):
        load_balancer = deployed["aws_lb.storefront"]
        assert load_balancer["drop_invalid_header_fields"] is True
        assert load_balancer["internal"] is False
        assert load_balancer["enable_deletion_protection"] is is_protected


def test_apache_holds_a_connection_for_longer_than_the_load_balancer(default_plan: Plan) -> None:
    seconds = default_plan.resources["aws_lb.storefront"]["idle_timeout"]
    [line] = [line for line in user_data(default_plan).splitlines() if "KeepAliveTimeout" in line]
    assert int(line.split()[1]) > seconds, "or customers are answered with 502 now and then"


def test_without_a_certificate_plain_http_is_served(resources: Resources) -> None:
    [listener] = resources.of_type("aws_lb_listener").values()
    assert (listener["protocol"], listener["port"]) == ("HTTP", 80)
    assert block(listener, "default_action")["type"] == "forward"


def test_with_a_certificate_plain_http_is_only_a_redirect(production: Resources) -> None:
    action = block(production["aws_lb_listener.http"], "default_action")
    redirect = block(action, "redirect")
    assert action["type"] == "redirect"
    assert (redirect["protocol"], redirect["port"], redirect["status_code"]) == ("HTTPS", "443", "HTTP_301")


def test_https_speaks_tls_1_2_at_least(production: Resources) -> None:
    listener = production["aws_lb_listener.https[0]"]
    assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
    assert listener["certificate_arn"] == CERTIFICATE
    assert listener["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


def test_the_domain_leads_to_the_load_balancer_on_request(resources: Resources, production: Resources) -> None:
    assert resources.of_type("aws_route53_record") == {}
    record = production["aws_route53_record.storefront[0]"]
    assert (record["name"], record["type"], record["zone_id"]) == ("shop.example.com", "A", "Z0123456789ABCDEFGHIJ")


def test_a_firewall_and_records_of_requests_are_there_on_request(resources: Resources, production: Resources) -> None:
    assert resources["aws_lb.storefront"]["access_logs"] == []
    records = block(production["aws_lb.storefront"], "access_logs")
    assert (records["bucket"], records["prefix"], records["enabled"]) == (
        "shop-access-logs",
        "order-processing-prod",
        True,
    )
    assert production["aws_wafv2_web_acl_association.storefront[0]"]["web_acl_arn"] == WEB_ACL


def test_only_an_instance_that_answers_health_is_sent_customers(resources: Resources) -> None:
    group = resources["aws_lb_target_group.web_servers"]
    check = block(group, "health_check")
    assert (check["path"], check["matcher"]) == ("/health", "200")
    assert (group["port"], group["protocol"], group["target_type"]) == (80, "HTTP", "instance")
    assert group["deregistration_delay"] == "30", "downloads end before their instance does"


# Web servers


def test_an_instance_is_hardened(resources: Resources) -> None:
    template = resources["aws_launch_template.web_server"]
    assert template["key_name"] is None, "nobody comes in by SSH"
    metadata = block(template, "metadata_options")
    assert (metadata["http_tokens"], metadata["http_put_response_hop_limit"]) == ("required", 1), "IMDSv2"
    [device] = template["block_device_mappings"]
    volume = block(device, "ebs")
    assert (volume["encrypted"], volume["volume_type"], volume["delete_on_termination"]) == ("true", "gp3", "true")


def test_an_instance_is_what_was_chosen(resources: Resources, production: Resources) -> None:
    for deployed, kind, device in ((resources, "t4g.micro", "/dev/xvda"), (production, "c8g.medium", "/dev/sda1")):
        template = deployed["aws_launch_template.web_server"]
        assert (template["image_id"], template["instance_type"]) == (IMAGE, kind)
        assert block(template, "block_device_mappings")["device_name"] == device


def publish_image(emulator: Emulator, account: str, name: str) -> str:
    """Publish an image as another account, for all to use; return its id."""
    # To the emulator, a numeric access key names its account.
    ec2 = boto3.client(
        "ec2",
        endpoint_url=emulator.endpoint_url,
        region_name=emulator.region,
        aws_access_key_id=account,
        aws_secret_access_key="any",
    )
    architecture = "x86_64" if "amd64" in name else "arm64"
    image = ec2.register_image(Name=name, Architecture=architecture, VirtualizationType="hvm")
    ec2.modify_image_attribute(ImageId=image["ImageId"], LaunchPermission={"Add": [{"Group": "all"}]})
    return str(image["ImageId"])


def test_debians_official_image_for_arm64_is_taken_where_none_is_named(
    frontend: TerraformRoot, emulator: Emulator
) -> None:
    without_image = {name: value for name, value in VARIABLES.items() if name != "ami_id"}
    publish_image(emulator, DEBIAN, "debian-13-amd64-20260101-1")
    publish_image(emulator, DEBIAN, "debian-14-arm64-20260101-1")
    publish_image(emulator, "123456789012", "debian-13-arm64-20260101-1")
    [error] = frontend.errors(without_image)
    assert "query returned no results" in error, "not another processor, version or publisher"

    image = publish_image(emulator, DEBIAN, "debian-13-arm64-20260101-1")
    template = frontend.plan(without_image).resources["aws_launch_template.web_server"]
    assert template["image_id"] == image
    assert block(template, "block_device_mappings")["device_name"] == "/dev/xvda", "the image's own"


def test_no_image_is_looked_for_where_one_is_named(default_plan: Plan) -> None:
    assert not [address for address in default_plan.data if address.startswith("data.aws_ami.")]


def test_an_instance_may_open_sessions_and_nothing_else(default_plan: Plan, production: Resources) -> None:
    policy = default_plan.data["data.aws_iam_policy_document.web_server"]
    [statement] = policy["statement"]
    assert {action.partition(":")[0] for action in statement["actions"]} == {"ssm", "ssmmessages"}
    assert "ssm:GetParameter" not in statement["actions"], "no secret of the account is of use to it"
    for role in ("aws_iam_role.web_server", "aws_iam_role.flow_log[0]"):
        assert production[role]["permissions_boundary"] == BOUNDARY


def test_the_script_is_what_the_variables_say(default_plan: Plan, production_plan: Plan) -> None:
    script = user_data(default_plan)
    assert f'apiUrl: "{API_URL}"' in script
    assert f"connect-src {API_URL};" in script
    assert f"fetch --quiet --depth 1 '{REPOSITORY_URL}' 'main'" in script
    assert "'v1.2.0'" in user_data(production_plan)
    assert script.count(LISTEN_ADDRESS) == 2, "what the instance listens on and what its virtual host is for"


def test_browsers_remember_to_come_by_tls_where_there_is_tls(default_plan: Plan, production_plan: Plan) -> None:
    assert "Strict-Transport-Security" not in user_data(default_plan), "it would be ignored"
    assert 'Strict-Transport-Security "max-age=31536000"' in user_data(production_plan)


def test_the_group_asks_the_load_balancer_who_is_well(resources: Resources, production: Resources) -> None:
    for deployed, sizes in ((resources, (2, 4)), (production, (3, 9))):
        group = deployed["aws_autoscaling_group.storefront"]
        assert group["health_check_type"] == "ELB"
        assert group["health_check_grace_period"] == 300
        assert (group["min_size"], group["max_size"]) == sizes


def test_a_changed_template_is_rolled_out_and_rolled_back_without_an_instance_too_few(resources: Resources) -> None:
    refresh = block(resources["aws_autoscaling_group.storefront"], "instance_refresh")
    preferences = block(refresh, "preferences")
    assert refresh["strategy"] == "Rolling"
    assert preferences["min_healthy_percentage"] == 100
    assert preferences["auto_rollback"] is True


def test_instances_follow_the_load(resources: Resources) -> None:
    policy = only(resources, "aws_autoscaling_policy")
    target = block(policy, "target_tracking_configuration")
    assert policy["policy_type"] == "TargetTrackingScaling"
    assert block(target, "predefined_metric_specification")["predefined_metric_type"] == "ASGAverageCPUUtilization"
    assert target["target_value"] == 50


# Watching


def test_unhealthy_instances_and_errors_raise_an_alarm(resources: Resources) -> None:
    alarms = resources.of_type("aws_cloudwatch_metric_alarm").values()
    assert {alarm["metric_name"] for alarm in alarms} == {
        "UnHealthyHostCount",
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
    }
    for alarm in alarms:
        assert alarm["namespace"] == "AWS/ApplicationELB"
        assert (alarm["threshold"], alarm["comparison_operator"]) == (0, "GreaterThanThreshold")
        assert alarm["treat_missing_data"] == "notBreaching"


def test_every_alarm_leads_to_its_section_of_the_runbook(resources: Resources, production: Resources) -> None:
    for deployed, runbook in ((resources, "docs/runbook.md"), (production, RUNBOOK_URL)):
        for address, alarm in deployed.of_type("aws_cloudwatch_metric_alarm").items():
            assert leads_to_its_section(alarm["alarm_name"], alarm["alarm_description"]), address
            assert f" {runbook}#" in alarm["alarm_description"], address
            assert len(alarm["alarm_description"]) < 900, "CloudWatch takes 1024, and names may be longer"


def test_every_alarm_goes_to_the_topic_that_was_given(resources: Resources, production: Resources) -> None:
    for deployed, topics in ((resources, None), (production, [TOPIC])):
        for address, alarm in deployed.of_type("aws_cloudwatch_metric_alarm").items():
            assert (alarm.get("alarm_actions") or None, alarm.get("ok_actions") or None) == (topics, topics), address


# All of it


def test_every_resource_that_can_carry_tags_has_project_and_environment(resources: Resources) -> None:
    tagged = {address: values for address, values in resources.items() if "tags_all" in values}
    assert len(tagged) > 10
    for address, values in tagged.items():
        assert TAGS.items() <= values["tags_all"].items(), address


def test_what_the_group_starts_is_tagged_too(resources: Resources) -> None:
    specified = resources["aws_launch_template.web_server"]["tag_specifications"]
    assert {each["resource_type"] for each in specified} == {"instance", "volume", "network-interface"}
    for each in specified:
        assert TAGS.items() <= each["tags"].items(), each["resource_type"]
    own = resources["aws_autoscaling_group.storefront"]["tag"]
    assert TAGS.items() <= {tag["key"]: tag["value"] for tag in own}.items(), "the group itself"


def test_two_deployments_share_no_name(resources: Resources, production: Resources) -> None:
    def names(deployed: Resources) -> set[str]:
        found = [values.get("name") or values.get("name_prefix") for values in deployed.values()]
        return {
            name for name in found if name and name not in ("session-manager", "flow-log", "store-", "shop.example.com")
        }

    assert names(resources)
    assert names(resources).isdisjoint(names(production))


def test_the_longest_names_fit(frontend: TerraformRoot) -> None:
    plan = frontend.plan({**VARIABLES, "project": "a" * 25, "environment": "staging"})
    load_balancer = plan.resources["aws_lb.storefront"]["name"]
    assert len(load_balancer) == 32
    assert not load_balancer.endswith("-")
    assert len(plan.resources["aws_iam_role.web_server"]["name"]) <= 64


def test_the_files_are_formatted(frontend: TerraformRoot) -> None:
    assert frontend.unformatted() == [], "terraform fmt"


# An existing network


@pytest.fixture(scope="module")
def existing_network(emulator: Emulator) -> dict[str, Any]:
    """A network with three subnets, two of them in the same zone, that Terraform knows nothing of."""
    ec2 = emulator.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zones = ("eu-west-1a", "eu-west-1b", "eu-west-1a")
    first, second, third = (
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for index, zone in enumerate(zones)
    )
    return {"vpc_id": vpc_id, "first": first, "second": second, "beside_first": third}


def test_an_existing_network_is_used_as_it_is(frontend: TerraformRoot, existing_network: dict[str, Any]) -> None:
    subnets = [existing_network["first"], existing_network["second"]]
    network = {
        "vpc_id": existing_network["vpc_id"],
        "load_balancer_subnet_ids": subnets,
        "instance_subnet_ids": subnets,
    }
    resources = frontend.plan({**VARIABLES, "existing_network": network}).resources
    for kind in ("aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_route", "aws_route_table", "aws_nat_gateway"):
        assert resources.of_type(kind) == {}, f"no {kind} is made"
    assert sorted(resources["aws_lb.storefront"]["subnets"]) == sorted(subnets)
    assert sorted(resources["aws_autoscaling_group.storefront"]["vpc_zone_identifier"]) == sorted(subnets)


@pytest.mark.parametrize(
    ("subnets", "advice"),
    [("load_balancer_subnet_ids", "one subnet for each zone"), ("instance_subnet_ids", "subnets of two zones or more")],
)
def test_an_existing_network_with_one_zone_is_refused(
    subnets: str, advice: str, frontend: TerraformRoot, existing_network: dict[str, Any]
) -> None:
    good = [existing_network["first"], existing_network["second"]]
    network = {
        "vpc_id": existing_network["vpc_id"],
        "load_balancer_subnet_ids": good,
        "instance_subnet_ids": good,
        subnets: [existing_network["first"], existing_network["beside_first"]],
    }
    [error] = frontend.errors({**VARIABLES, "existing_network": network})
    assert advice in error
