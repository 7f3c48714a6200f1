# The storefront's own network: public subnets for the load balancer, and optional private ones with NAT gateways.

data "aws_region" "current" {}

# All zones of the region in any state: an outage of a zone must not change a plan.
data "aws_availability_zones" "region" {
  filter {
    name   = "zone-type"
    values = ["availability-zone"]
  }
}

# Not every zone offers every instance type.
data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.network.instance_type]
  }
}

locals {
  suitable_zones = sort(setintersection(data.aws_availability_zones.region.names, data.aws_ec2_instance_type_offerings.zones.locations))
  zones          = var.network.availability_zones != null ? var.network.availability_zones : slice(local.suitable_zones, 0, min(2, length(local.suitable_zones)))

  # A zone's range depends on its position among all zones of the region and not on the chosen zones. Otherwise a change
  # of zones would give a zone a range that is still in use.
  positions     = { for position, zone in sort(data.aws_availability_zones.region.names) : zone => position }
  public_cidrs  = { for zone in local.zones : zone => cidrsubnet(var.network.cidr_block, 4, lookup(local.positions, zone, 0)) }
  private_cidrs = { for zone in local.zones : zone => cidrsubnet(var.network.cidr_block, 4, 8 + lookup(local.positions, zone, 0)) if var.network.has_private_subnets }
}

# --- Public subnets ---

resource "aws_vpc" "storefront" {
  cidr_block           = var.network.cidr_block
  enable_dns_hostnames = true

  tags = { Name = var.prefix }

  lifecycle {
    precondition {
      condition     = length(local.zones) >= 2 && length(setsubtract(local.zones, local.suitable_zones)) == 0
      error_message = "Choose two or more zones that offer ${var.network.instance_type} as availability_zones (${join(", ", local.suitable_zones)}), or another instance_type."
    }
  }
}

# The default for resources without a security group: allows no traffic.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.storefront.id

  tags = { Name = "${var.prefix}-closed" }
}

resource "aws_internet_gateway" "storefront" {
  vpc_id = aws_vpc.storefront.id

  tags = { Name = var.prefix }
}

resource "aws_subnet" "public" {
  for_each = local.public_cidrs

  vpc_id            = aws_vpc.storefront.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.prefix}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.storefront.id

  tags = { Name = "${var.prefix}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.storefront.id
}

resource "aws_route_table_association" "public" {
  for_each = local.public_cidrs

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# --- Private subnets ---

resource "aws_subnet" "private" {
  for_each = local.private_cidrs

  vpc_id            = aws_vpc.storefront.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.prefix}-private-${each.key}" }
}

# A NAT gateway per zone: the remaining zones can start instances during an outage of one zone.
resource "aws_eip" "nat" {
  for_each = local.private_cidrs

  domain = "vpc"

  tags = { Name = "${var.prefix}-nat-${each.key}" }
}

resource "aws_nat_gateway" "zone" {
  for_each = local.private_cidrs

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.prefix}-${each.key}" }

  # EC2 rejects a NAT gateway in a network without an internet gateway.
  depends_on = [aws_internet_gateway.storefront]
}

resource "aws_route_table" "private" {
  for_each = local.private_cidrs

  vpc_id = aws_vpc.storefront.id

  tags = { Name = "${var.prefix}-private-${each.key}" }
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

# --- Flow log ---

resource "aws_cloudwatch_log_group" "flow" {
  count = var.network.flow_log_retention_days == null ? 0 : 1

  name              = "/aws/vpc/${var.prefix}"
  retention_in_days = var.network.flow_log_retention_days
}

data "aws_iam_policy_document" "flow_log_trust" {
  statement {
    sid     = "AssumeRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flow_log" {
  count = length(aws_cloudwatch_log_group.flow)

  name                 = "${var.prefix}-flow-log-${data.aws_region.current.name}" # roles are global
  assume_role_policy   = data.aws_iam_policy_document.flow_log_trust.json
  permissions_boundary = var.network.permissions_boundary_arn
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

  vpc_id               = aws_vpc.storefront.id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn         = aws_iam_role.flow_log[0].arn
}
