# The storefront of the order processing system, in order of dependence:
#
#   network ── load balancer ── web servers (Auto Scaling group, Apache) ── what watches them
#
# The page itself is in the folder frontend of the repository; the web servers
# fetch it when they start, and the customer's browser calls the API from there.

################################################################################
# Naming and lookups
################################################################################

data "aws_partition" "current" {}

data "aws_region" "current" {}

# For what the provider does not tag by itself: an Auto Scaling group, and the
# instances, volumes and network interfaces that it starts.
data "aws_default_tags" "current" {}

locals {
  # First part of every name, so that several deployments live in one account.
  prefix = "${var.project}-${var.environment}"

  # Of the web servers, behind the load balancer.
  http_port = 80

  is_https = var.certificate_arn != null
}

################################################################################
# Network: made here unless there is one
################################################################################

data "aws_availability_zones" "available" {
  state = "available"

  # Not the local zones, which an account has to ask for.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  is_network_made = var.existing_network == null

  zones = local.is_network_made ? coalesce(var.availability_zones, slice(sort(data.aws_availability_zones.available.names), 0, 2)) : []

  # A sixteenth of the network for each subnet, by zone; public ones in its first
  # half, private ones in the second.
  public_cidrs  = { for index, zone in local.zones : zone => cidrsubnet(var.vpc_cidr, 4, index) }
  private_cidrs = { for index, zone in local.zones : zone => cidrsubnet(var.vpc_cidr, 4, 8 + index) if var.instances_are_private }
}

resource "aws_vpc" "storefront" {
  count = local.is_network_made ? 1 : 0

  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true

  tags = { Name = local.prefix }
}

# Whatever is started without a security group of its own gets this one, which
# admits nothing.
resource "aws_default_security_group" "closed" {
  count = local.is_network_made ? 1 : 0

  vpc_id = aws_vpc.storefront[0].id

  tags = { Name = "${local.prefix}-closed" }
}

resource "aws_internet_gateway" "storefront" {
  count = local.is_network_made ? 1 : 0

  vpc_id = aws_vpc.storefront[0].id

  tags = { Name = local.prefix }
}

resource "aws_subnet" "public" {
  for_each = local.public_cidrs

  vpc_id            = aws_vpc.storefront[0].id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${local.prefix}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count = local.is_network_made ? 1 : 0

  vpc_id = aws_vpc.storefront[0].id

  tags = { Name = "${local.prefix}-public" }
}

resource "aws_route" "internet" {
  count = local.is_network_made ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.storefront[0].id
}

resource "aws_route_table_association" "public" {
  for_each = local.public_cidrs

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

################################################################################
# Network: private subnets
################################################################################

resource "aws_subnet" "private" {
  for_each = local.private_cidrs

  vpc_id            = aws_vpc.storefront[0].id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${local.prefix}-private-${each.key}" }
}

# One for each zone: when a zone fails, the other one has to start instances, and
# for that it must not need anything of the one that failed.
resource "aws_eip" "nat" {
  for_each = local.private_cidrs

  domain = "vpc"

  tags = { Name = "${local.prefix}-nat-${each.key}" }
}

resource "aws_nat_gateway" "zone" {
  for_each = local.private_cidrs

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${local.prefix}-${each.key}" }

  # AWS asks for it: a NAT gateway is of no use before its network has a way out.
  depends_on = [aws_internet_gateway.storefront]
}

resource "aws_route_table" "private" {
  for_each = local.private_cidrs

  vpc_id = aws_vpc.storefront[0].id

  tags = { Name = "${local.prefix}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.private_cidrs

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.zone[each.key].id
}

resource "aws_route_table_association" "private" {
  for_each = local.private_cidrs

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

################################################################################
# Network: flow logs
################################################################################

resource "aws_cloudwatch_log_group" "flow" {
  count = local.is_network_made && var.flow_logs_enabled ? 1 : 0

  name              = "/aws/vpc/${local.prefix}"
  retention_in_days = var.log_retention_days
}

data "aws_iam_policy_document" "flow_log_trust" {
  statement {
    sid     = "RunAsFlowLogs"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flow_log" {
  count = length(aws_cloudwatch_log_group.flow)

  name                 = "${local.prefix}-flow-log-${data.aws_region.current.name}" # roles are global
  assume_role_policy   = data.aws_iam_policy_document.flow_log_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "flow_log" {
  count = length(aws_cloudwatch_log_group.flow)

  statement {
    sid       = "WriteFlowLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow[0].arn}:*"]
  }
}

resource "aws_iam_role_policy" "flow_log" {
  count = length(aws_cloudwatch_log_group.flow)

  name   = "flow-log"
  role   = aws_iam_role.flow_log[0].id
  policy = data.aws_iam_policy_document.flow_log[0].json
}

resource "aws_flow_log" "storefront" {
  count = length(aws_cloudwatch_log_group.flow)

  vpc_id               = aws_vpc.storefront[0].id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn         = aws_iam_role.flow_log[0].arn
}

################################################################################
# Network: the one that is used
################################################################################

locals {
  vpc_id                   = local.is_network_made ? aws_vpc.storefront[0].id : var.existing_network.vpc_id
  load_balancer_subnet_ids = local.is_network_made ? values(aws_subnet.public)[*].id : var.existing_network.load_balancer_subnet_ids
  instance_subnet_ids = (
    !local.is_network_made ? var.existing_network.instance_subnet_ids :
    var.instances_are_private ? values(aws_subnet.private)[*].id : values(aws_subnet.public)[*].id
  )
}

data "aws_subnet" "existing" {
  for_each = toset(local.is_network_made ? [] : concat(var.existing_network.load_balancer_subnet_ids, var.existing_network.instance_subnet_ids))

  id = each.key

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.existing_network.vpc_id
      error_message = "Subnet ${self.id} belongs to ${self.vpc_id}: name subnets of existing_network.vpc_id (${var.existing_network.vpc_id})."
    }
  }
}

locals {
  load_balancer_zones = local.is_network_made ? local.zones : [for id in var.existing_network.load_balancer_subnet_ids : data.aws_subnet.existing[id].availability_zone]
  instance_zones      = local.is_network_made ? local.zones : [for id in var.existing_network.instance_subnet_ids : data.aws_subnet.existing[id].availability_zone]
}

################################################################################
# Security groups
################################################################################

# Their descriptions cannot be changed, so a new group has to be there before the
# old one, which is in use, can go: hence the generated ends of their names.

resource "aws_security_group" "load_balancer" {
  name_prefix = "${local.prefix}-load-balancer-"
  description = "Load balancer of the storefront: from customers, to the web servers"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.prefix}-load-balancer" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "customers" {
  for_each = {
    for rule in setproduct(local.is_https ? [80, 443] : [80], var.allowed_cidrs) :
    "${rule[0]} from ${rule[1]}" => { port = rule[0], cidr = rule[1] }
  }

  security_group_id = aws_security_group.load_balancer.id
  description       = "Customers"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
}

resource "aws_vpc_security_group_egress_rule" "to_web_servers" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "Web servers"
  ip_protocol                  = "tcp"
  from_port                    = local.http_port
  to_port                      = local.http_port
  referenced_security_group_id = aws_security_group.web_server.id
}

resource "aws_security_group" "web_server" {
  name_prefix = "${local.prefix}-web-server-"
  description = "Web servers of the storefront: from the load balancer only, to where they fetch their software"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.prefix}-web-server" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.web_server.id
  description                  = "Load balancer"
  ip_protocol                  = "tcp"
  from_port                    = local.http_port
  to_port                      = local.http_port
  referenced_security_group_id = aws_security_group.load_balancer.id
}

# HTTPS for GitHub and Systems Manager; plain HTTP for Debian's package source,
# whose packages are signed. Names and time come from addresses that security
# groups do not filter.
resource "aws_vpc_security_group_egress_rule" "software" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.web_server.id
  description       = "Software, by ${each.key}"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
}

################################################################################
# Load balancer
################################################################################

resource "aws_lb" "storefront" {
  name               = substr(local.prefix, 0, 32) # at most; what a longer one loses is an end of "staging"
  load_balancer_type = "application"
  internal           = false
  security_groups    = [aws_security_group.load_balancer.id]
  subnets            = local.load_balancer_subnet_ids

  # Less than Apache's KeepAliveTimeout, or a request meets a connection that is
  # just being closed and the customer a 502.
  idle_timeout = 60

  drop_invalid_header_fields = true
  enable_deletion_protection = coalesce(var.deletion_protection_enabled, var.environment == "prod")

  dynamic "access_logs" {
    for_each = var.access_log_bucket == null ? [] : [var.access_log_bucket]

    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = local.prefix
    }
  }

  lifecycle {
    precondition {
      condition     = length(distinct(local.load_balancer_zones)) == length(local.load_balancer_zones)
      error_message = "Name one subnet for each zone, of two zones or more, as existing_network.load_balancer_subnet_ids: a load balancer takes no two in the same."
    }
  }
}

resource "aws_lb_target_group" "web_servers" {
  name_prefix = "store-" # a new one has to be there before the old one, which is in use, can go
  vpc_id      = local.vpc_id
  target_type = "instance"
  protocol    = "HTTP"
  port        = local.http_port

  # An answer takes milliseconds; the slowest download must have ended.
  deregistration_delay = 30

  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { Name = "${local.prefix}-web-servers" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.storefront.arn
  protocol          = "HTTP"
  port              = 80

  dynamic "default_action" {
    for_each = local.is_https ? [] : [aws_lb_target_group.web_servers.arn]

    content {
      type             = "forward"
      target_group_arn = default_action.value
    }
  }

  dynamic "default_action" {
    for_each = local.is_https ? ["HTTPS"] : []

    content {
      type = "redirect"

      redirect {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = local.is_https ? 1 : 0

  load_balancer_arn = aws_lb.storefront.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = var.certificate_arn

  # TLS 1.3, and 1.2 with forward secrecy and authenticated encryption only.
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web_servers.arn
  }
}

resource "aws_wafv2_web_acl_association" "storefront" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.storefront.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_route53_record" "storefront" {
  count = var.hosted_zone_id == null ? 0 : 1

  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_lb.storefront.dns_name
    zone_id                = aws_lb.storefront.zone_id
    evaluate_target_health = false # it is the only target there is
  }
}

locals {
  storefront_url = "${local.is_https ? "https" : "http"}://${coalesce(var.domain_name, aws_lb.storefront.dns_name)}"
}

check "encrypted" {
  assert {
    condition     = local.is_https
    error_message = "The storefront is served over plain HTTP: anybody on the way can read and change the page. Set certificate_arn and domain_name before customers use it."
  }
}

################################################################################
# Web servers: what they may do
################################################################################

data "aws_iam_policy_document" "web_server_trust" {
  statement {
    sid     = "RunAsInstance"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "web_server" {
  name                 = "${local.prefix}-web-server-${data.aws_region.current.name}" # roles are global
  assume_role_policy   = data.aws_iam_policy_document.web_server_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

# What Session Manager needs, and no more: AmazonSSMManagedInstanceCore would let
# every web server read the account's parameters.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
data "aws_iam_policy_document" "web_server" {
  statement {
    sid = "OpenSessionsOfOperators"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"] # these actions know no resource that could be named before the instance is there
  }
}

resource "aws_iam_role_policy" "web_server" {
  name   = "session-manager"
  role   = aws_iam_role.web_server.id
  policy = data.aws_iam_policy_document.web_server.json
}

resource "aws_iam_instance_profile" "web_server" {
  name = "${local.prefix}-web-server-${data.aws_region.current.name}"
  role = aws_iam_role.web_server.name
}

################################################################################
# Web servers: how one is made
################################################################################

data "aws_ami" "debian" {
  count = var.ami_id == null ? 1 : 0

  owners      = ["136693071363"] # Debian: https://wiki.debian.org/Cloud/AmazonEC2Image
  most_recent = true

  filter {
    name   = "name"
    values = ["debian-13-arm64-*"]
  }

  filter {
    name   = "architecture"
    values = ["arm64"]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

locals {
  # As frontend/server.py writes them: without slashes at the end; and what is
  # before the path.
  api_url    = replace(var.api_url, "/[/]+$/", "")
  api_origin = regex("^https?://[^/]+", var.api_url)

  user_data = templatefile("${path.module}/templates/user_data.sh.tftpl", {
    listen_address  = "*:${local.http_port}"
    api_url         = local.api_url
    api_origin      = local.api_origin
    repository_url  = var.repository_url
    repository_ref  = var.repository_ref
    is_https        = local.is_https
    agent_url       = "https://s3.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}/amazon-ssm-${data.aws_region.current.name}/latest"
    keep_alive_secs = 75 # more than the load balancer's idle_timeout
  })
}

resource "aws_launch_template" "web_server" {
  name                   = "${local.prefix}-web-server"
  description            = "Debian with Apache, which installs the storefront from GitHub at its first start"
  update_default_version = true

  image_id      = var.ami_id != null ? var.ami_id : data.aws_ami.debian[0].id
  instance_type = var.instance_type
  user_data     = base64encode(local.user_data)

  # No key pair: Session Manager opens a shell, and records who did.
  iam_instance_profile {
    arn = aws_iam_instance_profile.web_server.arn
  }

  network_interfaces {
    associate_public_ip_address = !var.instances_are_private
    security_groups             = [aws_security_group.web_server.id]
    delete_on_termination       = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = var.ami_id != null ? var.root_device_name : data.aws_ami.debian[0].root_device_name

    ebs {
      volume_type           = "gp3"
      volume_size           = 8 # GiB, as Debian's image has it
      encrypted             = true
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.current.tags, { Name = "${local.prefix}-web-server" })
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.user_data) <= 16 * 1024
      error_message = "The user data is over the 16 KiB that EC2 takes: shorten templates/user_data.sh.tftpl."
    }
  }
}

################################################################################
# Web servers: how many there are
################################################################################

resource "aws_autoscaling_group" "storefront" {
  name                = "${local.prefix}-storefront"
  vpc_zone_identifier = local.instance_subnet_ids
  target_group_arns   = [aws_lb_target_group.web_servers.arn]
  min_size            = var.min_size
  max_size            = var.max_size

  # The load balancer decides whether an instance is well. A new one takes about
  # a minute to answer; this long it may, with repeated downloads.
  health_check_type         = "ELB"
  health_check_grace_period = 300
  default_instance_warmup   = 120

  launch_template {
    id      = aws_launch_template.web_server.id
    version = aws_launch_template.web_server.latest_version
  }

  # A changed launch template replaces the instances one after the other, each new
  # one before the old one goes. If the new ones do not turn healthy, the old
  # version comes back by itself.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      auto_rollback          = true
      skip_matching          = true
    }
  }

  # Only the group's own: instances get theirs by the launch template.
  dynamic "tag" {
    for_each = merge(data.aws_default_tags.current.tags, { Name = "${local.prefix}-storefront" })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  lifecycle {
    precondition {
      condition     = length(distinct(local.instance_zones)) >= 2
      error_message = "Name subnets of two zones or more as existing_network.instance_subnet_ids: with one zone, its failure takes the storefront away."
    }
  }

  # An instance needs its way out in its first minute.
  depends_on = [
    aws_route.internet,
    aws_route.nat,
    aws_route_table_association.public,
    aws_route_table_association.private,
    aws_vpc_security_group_egress_rule.software,
  ]
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "${local.prefix}-cpu"
  autoscaling_group_name = aws_autoscaling_group.storefront.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }

    target_value = 50 # enough left for the time that a new instance takes
  }
}

################################################################################
# Watching
################################################################################

locals {
  load_balancer_dimension = { LoadBalancer = aws_lb.storefront.arn_suffix }
  target_group_dimensions = merge(local.load_balancer_dimension, { TargetGroup = aws_lb_target_group.web_servers.arn_suffix })

  # Each has a section of its name in the runbook.
  alarms = {
    # Longer than a new instance takes to answer for the first time.
    unhealthy-hosts = {
      description = "A web server of ${local.prefix} does not answer /health, or a new one does not become ready. Its installation's log is in the console output: aws ec2 get-console-output."
      metric_name = "UnHealthyHostCount"
      dimensions  = local.target_group_dimensions
      statistic   = "Maximum"
      minutes     = 5
    }

    storefront-5xx = {
      description = "A web server of ${local.prefix} answers with errors: see /var/log/apache2/error.log there, by Session Manager."
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.target_group_dimensions
      statistic   = "Sum"
      minutes     = 1
    }

    load-balancer-5xx = {
      description = "The load balancer of ${local.prefix} answers with errors of its own: no web server is healthy, or none answers in time."
      metric_name = "HTTPCode_ELB_5XX_Count"
      dimensions  = local.load_balancer_dimension
      statistic   = "Sum"
      minutes     = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "failure" {
  for_each = local.alarms

  alarm_name        = "${local.prefix}-${each.key}"
  alarm_description = "${each.value.description} Runbook: ${var.runbook_url}#${each.key}"

  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric_name
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # Nothing is reported where nobody asks.

  alarm_actions = var.alerts_topic_arn == null ? [] : [var.alerts_topic_arn]
  ok_actions    = var.alerts_topic_arn == null ? [] : [var.alerts_topic_arn]
}
