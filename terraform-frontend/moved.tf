# Addresses of the release before the modules (version 0.1), so that an existing deployment keeps its resources.

moved {
  from = aws_vpc.storefront[0]
  to   = module.network[0].aws_vpc.storefront
}
moved {
  from = aws_default_security_group.closed[0]
  to   = module.network[0].aws_default_security_group.closed
}
moved {
  from = aws_internet_gateway.storefront[0]
  to   = module.network[0].aws_internet_gateway.storefront
}
moved {
  from = aws_route_table.public[0]
  to   = module.network[0].aws_route_table.public
}
moved {
  from = aws_route.internet[0]
  to   = module.network[0].aws_route.internet
}
moved {
  from = aws_subnet.public
  to   = module.network[0].aws_subnet.public
}
moved {
  from = aws_route_table_association.public
  to   = module.network[0].aws_route_table_association.public
}
moved {
  from = aws_subnet.private
  to   = module.network[0].aws_subnet.private
}
moved {
  from = aws_eip.nat
  to   = module.network[0].aws_eip.nat
}
moved {
  from = aws_nat_gateway.zone
  to   = module.network[0].aws_nat_gateway.zone
}
moved {
  from = aws_route_table.private
  to   = module.network[0].aws_route_table.private
}
moved {
  from = aws_route.nat
  to   = module.network[0].aws_route.nat
}
moved {
  from = aws_route_table_association.private
  to   = module.network[0].aws_route_table_association.private
}
moved {
  from = aws_cloudwatch_log_group.flow
  to   = module.network[0].aws_cloudwatch_log_group.flow
}
moved {
  from = aws_iam_role.flow_log
  to   = module.network[0].aws_iam_role.flow_log
}
moved {
  from = aws_iam_role_policy.flow_log
  to   = module.network[0].aws_iam_role_policy.flow_log
}
moved {
  from = aws_flow_log.storefront
  to   = module.network[0].aws_flow_log.storefront
}
moved {
  from = aws_security_group.load_balancer
  to   = module.web_servers.aws_security_group.load_balancer
}
moved {
  from = aws_security_group.web_server
  to   = module.web_servers.aws_security_group.web_server
}
moved {
  from = aws_vpc_security_group_ingress_rule.customers
  to   = module.web_servers.aws_vpc_security_group_ingress_rule.customers
}
moved {
  from = aws_vpc_security_group_ingress_rule.from_load_balancer
  to   = module.web_servers.aws_vpc_security_group_ingress_rule.from_load_balancer
}
moved {
  from = aws_vpc_security_group_egress_rule.to_web_servers
  to   = module.web_servers.aws_vpc_security_group_egress_rule.to_web_servers
}
moved {
  from = aws_vpc_security_group_egress_rule.software
  to   = module.web_servers.aws_vpc_security_group_egress_rule.software
}
moved {
  from = aws_lb.storefront
  to   = module.web_servers.aws_lb.storefront
}
moved {
  from = aws_lb_target_group.web_servers
  to   = module.web_servers.aws_lb_target_group.web_servers
}
moved {
  from = aws_lb_listener.http
  to   = module.web_servers.aws_lb_listener.http
}
moved {
  from = aws_lb_listener.https
  to   = module.web_servers.aws_lb_listener.https
}
moved {
  from = aws_wafv2_web_acl_association.storefront
  to   = module.web_servers.aws_wafv2_web_acl_association.storefront
}
moved {
  from = aws_iam_role.web_server
  to   = module.web_servers.aws_iam_role.web_server
}
moved {
  from = aws_iam_role_policy.web_server
  to   = module.web_servers.aws_iam_role_policy.web_server
}
moved {
  from = aws_iam_instance_profile.web_server
  to   = module.web_servers.aws_iam_instance_profile.web_server
}
moved {
  from = aws_launch_template.web_server
  to   = module.web_servers.aws_launch_template.web_server
}
moved {
  from = aws_autoscaling_group.storefront
  to   = module.web_servers.aws_autoscaling_group.storefront
}
moved {
  from = aws_autoscaling_policy.cpu
  to   = module.web_servers.aws_autoscaling_policy.requests
}
moved {
  from = aws_cloudwatch_metric_alarm.failure["unhealthy-hosts"]
  to   = module.web_servers.aws_cloudwatch_metric_alarm.hosts["unhealthy-hosts"]
}
moved {
  from = aws_cloudwatch_metric_alarm.failure["storefront-5xx"]
  to   = module.web_servers.aws_cloudwatch_metric_alarm.errors["storefront-5xx"]
}
moved {
  from = aws_cloudwatch_metric_alarm.failure["load-balancer-5xx"]
  to   = module.web_servers.aws_cloudwatch_metric_alarm.errors["load-balancer-5xx"]
}
