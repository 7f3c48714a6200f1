# The storefront of the order processing system: a network, a load balancer and web servers. The page is in the
# repository's folder frontend. Each web server fetches it at its first start, and the browser calls the API from there.

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # First part of every name, so that several deployments fit into one account.
  prefix = "${var.project}-${var.environment}"

  is_https = var.certificate_arn != null
}

# --- Network ---

module "network" {
  source = "./modules/network"
  count  = var.existing_network == null ? 1 : 0

  prefix = local.prefix

  network = {
    cidr_block               = var.vpc_cidr
    availability_zones       = var.availability_zones
    instance_type            = var.instance_type
    has_private_subnets      = var.instances_are_private
    flow_log_retention_days  = var.flow_logs_enabled ? var.log_retention_days : null
    permissions_boundary_arn = var.permissions_boundary_arn
  }
}

data "aws_subnet" "existing" {
  for_each = toset(var.existing_network == null ? [] : concat(var.existing_network.load_balancer_subnet_ids, var.existing_network.instance_subnet_ids))

  id = each.key

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.existing_network.vpc_id
      error_message = "Subnet ${self.id} belongs to ${self.vpc_id}: name subnets of existing_network.vpc_id (${var.existing_network.vpc_id})."
    }
  }
}

# --- Web servers ---

data "aws_ami" "debian" {
  count = var.ami_id == null ? 1 : 0

  owners      = ["136693071363"] # Debian: https://wiki.debian.org/Cloud/AmazonEC2Image
  most_recent = true

  filter {
    name   = "name"
    values = ["debian-13-arm64-*"]
  }
}

locals {
  http_port = 80

  user_data = templatefile("${path.module}/templates/user_data.sh.tftpl", {
    listen_address = "*:${local.http_port}"
    api_url        = replace(var.api_url, "/[/]+$/", "") # as frontend/server.py writes it
    api_origin     = regex("^https?://[^/]+", var.api_url)
    repository_url = var.repository_url
    repository_ref = var.repository_ref
    is_https       = local.is_https
    agent_url      = "https://s3.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}/amazon-ssm-${data.aws_region.current.name}/latest"

    # AWS's public key, without its ASCII armor. It expires on 2027-11-25; AWS publishes the next one on
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/verify-agent-signature.html
    agent_key = join("\n", regexall("(?m)^[0-9A-Za-z+/]+={0,2}$", file("${path.module}/templates/ssm-agent-key.asc")))
  })
}

module "web_servers" {
  source = "./modules/web_servers"

  prefix = local.prefix

  network = one(concat(module.network[*].network, [for existing in var.existing_network[*] : merge(existing, {
    load_balancer_zones = [for id in existing.load_balancer_subnet_ids : data.aws_subnet.existing[id].availability_zone]
    instance_zones      = [for id in existing.instance_subnet_ids : data.aws_subnet.existing[id].availability_zone]
  })]))

  load_balancer = {
    allowed_cidrs       = var.allowed_cidrs
    certificate_arn     = var.certificate_arn
    access_log_bucket   = var.access_log_bucket
    deletion_protection = coalesce(var.deletion_protection_enabled, var.environment == "prod")
    web_acl_arn         = var.web_acl_arn
  }

  instance = {
    image_id         = var.ami_id != null ? var.ami_id : data.aws_ami.debian[0].id
    root_device_name = var.ami_id != null ? var.root_device_name : data.aws_ami.debian[0].root_device_name
    type             = var.instance_type
    user_data        = local.user_data
    has_public_ip    = !var.instances_are_private
    http_port        = local.http_port
    idle_timeout     = 60 # less than Apache's KeepAliveTimeout

    min_size                 = var.min_size
    max_size                 = var.max_size
    permissions_boundary_arn = var.permissions_boundary_arn
  }

  alarms = {
    topic_arn   = var.alerts_topic_arn
    runbook_url = var.runbook_url
  }
}

# --- Address ---

resource "aws_route53_record" "storefront" {
  count = var.hosted_zone_id == null ? 0 : 1

  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = module.web_servers.load_balancer.dns_name
    zone_id                = module.web_servers.load_balancer.zone_id
    evaluate_target_health = false # the only target
  }
}

check "encrypted" {
  assert {
    condition     = local.is_https
    error_message = "The storefront is served over plain HTTP, so anyone on the network path can read and change the page. Set certificate_arn and domain_name before customers use it."
  }
}
