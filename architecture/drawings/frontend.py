"""The storefront's servers, as terraform-frontend deploys them."""

from drawings.model import Arrow, Box, Category, Component, Flow, Frame, Picture, Point


def _web_server(at: Point) -> Component:
    return Component(
        "web server",
        "EC2, Apache",
        "server",
        Category.COMPUTE,
        at,
        ("module.web_servers.aws_launch_template.web_server",),
    )


def _nat_gateway(at: Point) -> Component:
    return Component(
        "NAT gateway",
        "private instances",
        "translation",
        Category.NETWORK,
        at,
        ("module.network.aws_nat_gateway.zone", "module.network.aws_eip.nat"),
        is_optional=True,
    )


FRONTEND = Picture(
    title="Order processing: the storefront",
    subtitle="Web servers in two zones serve the page; the page itself calls the backend.",
    folder="terraform-frontend",
    columns=8.6,
    rows=4.1,
    components={
        "customers": Component("customers", "browser", "browser", Category.OUTSIDE, (0, 2.05)),
        "backend": Component("HTTP API", "of the backend", "api", Category.OUTSIDE, (0, 4.1)),
        "domain": Component(
            "domain",
            "Route 53",
            "signpost",
            Category.NETWORK,
            (1.82, 0),
            ("aws_route53_record.storefront",),
            is_optional=True,
        ),
        "firewall": Component(
            "firewall",
            "AWS WAF",
            "shield",
            Category.NETWORK,
            (3.2, 0),
            ("module.web_servers.aws_wafv2_web_acl_association.storefront",),
            is_optional=True,
        ),
        "internet_gateway": Component(
            "internet gateway",
            "VPC",
            "gateway",
            Category.NETWORK,
            (1.82, 2.05),
            ("module.network.aws_internet_gateway.storefront",),
        ),
        "load_balancer": Component(
            "load balancer", "ALB", "balancer", Category.NETWORK, (3.2, 2.05), ("module.web_servers.aws_lb.storefront",)
        ),
        "web_server_a": _web_server((5.1, 1.45)),
        "web_server_b": _web_server((5.1, 2.65)),
        "nat_gateway_a": _nat_gateway((6.45, 1.45)),
        "nat_gateway_b": _nat_gateway((6.45, 2.65)),
        "software": Component("software", "GitHub, Debian", "source", Category.OUTSIDE, (8.6, 1.45)),
        "shell": Component("shell", "Systems Manager", "operator", Category.OUTSIDE, (8.6, 2.65)),
        "flow_log": Component(
            "flow log",
            "CloudWatch Logs",
            "log",
            Category.MONITORING,
            (1.82, 4.1),
            ("module.network.aws_flow_log.storefront", "module.network.aws_cloudwatch_log_group.flow"),
            is_optional=True,
        ),
        "alarms": Component(
            "alarms",
            "CloudWatch",
            "alarm",
            Category.MONITORING,
            (6.45, 4.1),
            ("module.web_servers.aws_cloudwatch_metric_alarm.*",),
        ),
        "alerts": Component("alerts", "topic of the backend", "topic", Category.OUTSIDE, (8.6, 4.1)),
    },
    arrows=(
        Arrow("customers", "domain", Flow.SIDE, "looks up", via=((0, 0),), label_share=0.33),
        Arrow(
            "customers",
            "internet_gateway",
            Flow.MAIN,
            "HTTP(S)",
            label_share=0.28,
            resources=(
                "module.web_servers.aws_vpc_security_group_ingress_rule.customers",
                "module.web_servers.aws_lb_listener.*",
            ),
        ),
        Arrow("internet_gateway", "load_balancer", Flow.MAIN),
        Arrow("firewall", "load_balancer", Flow.SIDE, "filters"),
        Arrow(
            "load_balancer",
            "web_server_a",
            Flow.MAIN,
            "HTTP",
            via=((4.05, 2.05), (4.05, 1.45)),
            resources=(
                "module.web_servers.aws_lb_target_group.web_servers",
                "module.web_servers.aws_vpc_security_group_egress_rule.to_web_servers",
                "module.web_servers.aws_vpc_security_group_ingress_rule.from_load_balancer",
            ),
        ),
        Arrow("load_balancer", "web_server_b", Flow.MAIN, via=((4.05, 2.05), (4.05, 2.65))),
        Arrow(
            "web_server_a",
            "nat_gateway_a",
            Flow.SIDE,
            resources=("module.web_servers.aws_vpc_security_group_egress_rule.software",),
        ),
        Arrow("web_server_b", "nat_gateway_b", Flow.SIDE),
        Arrow("nat_gateway_a", "software", Flow.SIDE),
        Arrow("nat_gateway_b", "shell", Flow.SIDE),
        Arrow("nat_gateway_a", "shell", Flow.SIDE, via=((8.1, 1.45), (8.1, 2.65))),
        Arrow("nat_gateway_b", "software", Flow.SIDE, via=((8.1, 2.65), (8.1, 1.45))),
        Arrow("customers", "backend", Flow.MAIN, "orders"),
        Arrow("internet_gateway", "flow_log", Flow.SIDE, "traffic"),
        Arrow("load_balancer", "alarms", Flow.FAILURE, "errors, unhealthy servers", via=((3.2, 4.1),)),
        Arrow("alarms", "alerts", Flow.FAILURE),
    ),
    boxes=(
        Box("AWS: deployed by terraform-frontend", Frame.ACCOUNT, (0.95, -0.5), (7.85, 4.7)),
        Box(
            "VPC, created or existing", Frame.NETWORK, (1.18, 0.7), (7.62, 3.5), ("module.network.aws_vpc.storefront",)
        ),
        Box(
            "zone a",
            Frame.ZONE,
            (4.32, 1.1),
            (7.4, 2.05),
            ("module.network.aws_subnet.public", "module.network.aws_subnet.private"),
        ),
        Box(
            "zone b",
            Frame.ZONE,
            (4.32, 2.3),
            (7.4, 3.25),
            ("module.network.aws_subnet.public", "module.network.aws_subnet.private"),
        ),
        Box(
            "Auto Scaling group",
            Frame.FLEET,
            (4.48, 0.86),
            (5.78, 3.37),
            (
                "module.web_servers.aws_autoscaling_group.storefront",
                "module.web_servers.aws_autoscaling_policy.requests",
            ),
        ),
    ),
    legend={
        Flow.MAIN: "a customer's request",
        Flow.SIDE: "other traffic",
        Flow.FAILURE: "failure",
    },
    omitted={
        "aws_default_security_group": "allows no traffic",
        "aws_iam_instance_profile": "attaches the role to the instances",
        "aws_iam_role": "for the web servers and the flow log",
        "aws_iam_role_policy": "the arrows of a component are its permissions",
        "aws_route": "the routes are the arrows",
        "aws_route_table": "the routes are the arrows",
        "aws_route_table_association": "the routes are the arrows",
        "aws_security_group": "its rules are the arrows",
    },
)
