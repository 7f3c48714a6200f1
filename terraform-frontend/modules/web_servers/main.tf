# The load balancer and its web servers. Releases are blue/green: each version of the launch template has its own Auto
# Scaling group, and the old group is destroyed only when the load balancer reports the new one healthy.

data "aws_region" "current" {}

# The provider does not add default tags to an Auto Scaling group or to what it launches.
data "aws_default_tags" "current" {}

locals {
  is_https = var.load_balancer.certificate_arn != null
}

# --- Security groups ---

# A changed description replaces a group. The old one is in use until the new one exists, hence name_prefix and
# create_before_destroy, which the Auto Scaling group imposes on everything it depends on.

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.prefix}-load-balancer-"
  description = "Load balancer of the storefront: from customers, to the web servers"
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.prefix}-load-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "customers" {
  for_each = {
    for rule in setproduct(local.is_https ? [80, 443] : [80], var.load_balancer.allowed_cidrs) :
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
  from_port                    = var.instance.http_port
  to_port                      = var.instance.http_port
  referenced_security_group_id = aws_security_group.web_server.id
}

resource "aws_security_group" "web_server" {
  name_prefix = "${var.prefix}-web-server-"
  description = "Web servers of the storefront: from the load balancer only, to where they fetch their software"
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.prefix}-web-server" }
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.web_server.id
  description                  = "Load balancer"
  ip_protocol                  = "tcp"
  from_port                    = var.instance.http_port
  to_port                      = var.instance.http_port
  referenced_security_group_id = aws_security_group.load_balancer.id
}

# HTTPS for the repository and Systems Manager; HTTP for Debian's packages, which are signed. Security groups do not
# filter Amazon's DNS and time servers.
resource "aws_vpc_security_group_egress_rule" "software" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.web_server.id
  description       = "Software, by ${each.key}"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
}

# --- Load balancer ---

resource "aws_lb" "storefront" {
  name               = substr(var.prefix, 0, 32) # the limit; a longer prefix loses the end of "staging"
  load_balancer_type = "application"
  internal           = false
  security_groups    = [aws_security_group.load_balancer.id]
  subnets            = var.network.load_balancer_subnet_ids

  idle_timeout               = var.instance.idle_timeout
  drop_invalid_header_fields = true
  enable_deletion_protection = var.load_balancer.deletion_protection

  dynamic "access_logs" {
    for_each = var.load_balancer.access_log_bucket[*]

    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = var.prefix
    }
  }
}

resource "aws_lb_target_group" "web_servers" {
  name_prefix = "store-"
  vpc_id      = var.network.vpc_id
  target_type = "instance"
  protocol    = "HTTP"
  port        = var.instance.http_port

  # Longer than the slowest download.
  deregistration_delay = 30

  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  # A page loads its code from a path that exists only on servers of the same release. During a release, servers of both
  # versions are in service.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 300
  }

  tags = { Name = "${var.prefix}-web-servers" }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.storefront.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = local.is_https ? "redirect" : "forward"
    target_group_arn = local.is_https ? null : aws_lb_target_group.web_servers.arn

    dynamic "redirect" {
      for_each = local.is_https ? ["HTTPS"] : []

      content {
        protocol    = redirect.value
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
  certificate_arn   = var.load_balancer.certificate_arn

  # TLS 1.3 and 1.2 with forward secrecy, and post-quantum key exchange: AWS's recommendation.
  # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web_servers.arn
  }
}

resource "aws_wafv2_web_acl_association" "storefront" {
  count = var.load_balancer.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.storefront.arn
  web_acl_arn  = var.load_balancer.web_acl_arn
}

# --- Role of the web servers ---

data "aws_iam_policy_document" "web_server_trust" {
  statement {
    sid     = "AssumeRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "web_server" {
  name                 = "${var.prefix}-web-server-${data.aws_region.current.name}" # roles are global
  assume_role_policy   = data.aws_iam_policy_document.web_server_trust.json
  permissions_boundary = var.instance.permissions_boundary_arn
}

# Only what Session Manager needs. AmazonSSMManagedInstanceCore would also allow reading the account's parameters.
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
    resources = ["*"] # the instances do not exist yet
  }
}

resource "aws_iam_role_policy" "web_server" {
  name   = "session-manager"
  role   = aws_iam_role.web_server.id
  policy = data.aws_iam_policy_document.web_server.json
}

resource "aws_iam_instance_profile" "web_server" {
  name = "${var.prefix}-web-server-${data.aws_region.current.name}"
  role = aws_iam_role.web_server.name
}

# --- Launch template ---

resource "aws_launch_template" "web_server" {
  name                   = "${var.prefix}-web-server"
  description            = "Debian with Apache, which installs the storefront from GitHub at its first start"
  update_default_version = true

  image_id      = var.instance.image_id
  instance_type = var.instance.type
  user_data     = base64encode(var.instance.user_data)

  # No key pair: Session Manager provides shells and records who opened one.
  iam_instance_profile {
    arn = aws_iam_instance_profile.web_server.arn
  }

  # T3 and T4g instances start without CPU credits, so in standard mode the installation would run at a tenth of the
  # speed. Sustained load above the baseline is billed: see docs/cost.md.
  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-standard-mode-concepts.html
  dynamic "credit_specification" {
    for_each = can(regex("^t[0-9]", var.instance.type)) ? ["unlimited"] : []

    content {
      cpu_credits = credit_specification.value
    }
  }

  network_interfaces {
    associate_public_ip_address = var.instance.has_public_ip
    security_groups             = [aws_security_group.web_server.id]
    delete_on_termination       = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = var.instance.root_device_name

    ebs {
      volume_type           = "gp3"
      volume_size           = 8 # GiB, the size of Debian's image
      encrypted             = true
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.current.tags, { Name = "${var.prefix}-web-server" })
    }
  }
}

# --- Auto Scaling group ---

locals {
  # The group of every release has this tag; its name differs.
  group_tag = "${var.prefix}-storefront"

  # A new group starts with the current number of servers. Otherwise every release would reduce a busy shop's capacity.
  capacity = min(var.instance.max_size, max(var.instance.min_size, values(data.aws_autoscaling_group.running)[*].desired_capacity...))
}

# The groups that run now: none at the first apply, two after a failed release.
data "aws_autoscaling_groups" "running" {
  filter {
    name   = "tag:Name"
    values = [local.group_tag]
  }
}

data "aws_autoscaling_group" "running" {
  for_each = toset(data.aws_autoscaling_groups.running.names)

  name = each.key
}

resource "aws_autoscaling_group" "storefront" {
  # A new launch template version is a new group. The provider's suffix lets a failed release be applied again.
  name_prefix         = "${local.group_tag}-${aws_launch_template.web_server.latest_version}-"
  vpc_zone_identifier = var.network.instance_subnet_ids
  target_group_arns   = [aws_lb_target_group.web_servers.arn]
  min_size            = var.instance.min_size
  max_size            = var.instance.max_size
  desired_capacity    = local.capacity

  # Apply waits until the load balancer reports this many servers of the new group healthy. A server needs about a
  # minute; the limit allows for repeated downloads and one replacement.
  min_elb_capacity          = local.capacity
  wait_for_capacity_timeout = "10m"

  health_check_type         = "ELB"
  health_check_grace_period = 300
  default_instance_warmup   = 120

  launch_template {
    id      = aws_launch_template.web_server.id
    version = aws_launch_template.web_server.latest_version
  }

  dynamic "tag" {
    for_each = merge(data.aws_default_tags.current.tags, { Name = local.group_tag })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  lifecycle {
    create_before_destroy = true

    # Set for a new group only; later the scaling policy decides.
    ignore_changes = [desired_capacity, min_elb_capacity]
  }

  # A target is healthy only behind a listener, and when traffic is allowed on both sides.
  depends_on = [
    aws_lb_listener.http,
    aws_lb_listener.https,
    aws_vpc_security_group_egress_rule.software,
    aws_vpc_security_group_egress_rule.to_web_servers,
    aws_vpc_security_group_ingress_rule.from_load_balancer,
  ]
}

# Requests are counted every minute for free, while an instance's CPU is reported every five minutes unless detailed
# monitoring is paid for.
resource "aws_autoscaling_policy" "requests" {
  name                   = "${var.prefix}-requests"
  autoscaling_group_name = aws_autoscaling_group.storefront.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.storefront.arn_suffix}/${aws_lb_target_group.web_servers.arn_suffix}"
    }

    target_value = 6000 # requests per minute and server: well below a t4g.micro's CPU baseline
  }

  # Otherwise the serving group would lose its policy before the new group exists.
  lifecycle {
    create_before_destroy = true
  }
}

# --- Alarms ---

locals {
  load_balancer_dimension = { LoadBalancer = aws_lb.storefront.arn_suffix }
  target_group_dimensions = merge(local.load_balancer_dimension, { TargetGroup = aws_lb_target_group.web_servers.arn_suffix })

  # Each has a section with its name in the runbook. All use metrics of the target group, so they cover every release.
  host_alarms = {
    unhealthy-hosts = {
      description         = "A web server of ${var.prefix} failed its health check in three of five minutes, or a new one is not ready. Customers are served by the others. Look first at its console output: aws ec2 get-console-output --latest."
      metric_name         = "UnHealthyHostCount"
      statistic           = "Maximum"
      comparison_operator = "GreaterThanThreshold"
      threshold           = 0
      datapoints_to_alarm = 3
      missing_data        = "notBreaching" # without servers, data is missing; missing-hosts covers that
    }

    missing-hosts = {
      description         = "Fewer than ${var.instance.min_size} web servers of ${var.prefix} have been healthy for five minutes, and they were not replaced. With none, customers see no page. Look first at the group's scaling activities."
      metric_name         = "HealthyHostCount"
      statistic           = "Minimum"
      comparison_operator = "LessThanThreshold"
      threshold           = var.instance.min_size
      datapoints_to_alarm = 5
      missing_data        = "breaching"
    }
  }

  # Percentage of requests that fail. A single error, such as a scanner's request, raises no alarm.
  error_alarms = {
    storefront-5xx = {
      description = "More than 5 % of requests to the web servers of ${var.prefix} failed in three of five minutes. Customers see errors instead of the page. Look first at /var/log/apache2/error.log on a server, through Session Manager."
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.target_group_dimensions
      expression  = "100 * errors / requests"
    }

    # The load balancer counts a request only when it has a healthy server for it.
    load-balancer-5xx = {
      description = "The load balancer of ${var.prefix} generated errors for more than 5 % of requests in three of five minutes, because no web server was healthy or none responded in time. Customers see no page. Look first at the target group's health."
      metric_name = "HTTPCode_ELB_5XX_Count"
      dimensions  = local.load_balancer_dimension
      expression  = "100 * errors / (errors + FILL(requests, 0))"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "hosts" {
  for_each = local.host_alarms

  alarm_name        = "${var.prefix}-${each.key}"
  alarm_description = "${each.value.description} Runbook: ${var.alarms.runbook_url}#${each.key}"

  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric_name
  dimensions          = local.target_group_dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = each.value.datapoints_to_alarm
  comparison_operator = each.value.comparison_operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing_data

  alarm_actions = var.alarms.topic_arn[*]
  ok_actions    = var.alarms.topic_arn[*]

  # Created after the servers: otherwise the first deployment would raise an alarm.
  depends_on = [aws_autoscaling_group.storefront]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.error_alarms

  alarm_name        = "${var.prefix}-${each.key}"
  alarm_description = "${each.value.description} Runbook: ${var.alarms.runbook_url}#${each.key}"

  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching" # without errors, data is missing

  metric_query {
    id          = "percentage"
    expression  = each.value.expression
    label       = "Failed requests in percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = each.value.metric_name, requests = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = "Sum"
        period      = 60
      }
    }
  }

  alarm_actions = var.alarms.topic_arn[*]
  ok_actions    = var.alarms.topic_arn[*]
}
