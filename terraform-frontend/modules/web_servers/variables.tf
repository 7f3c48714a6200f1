variable "prefix" {
  description = "First part of every name."
  type        = string
}

variable "network" {
  description = "The network, its subnets, and the zones of the subnets in the same order."
  type = object({
    vpc_id                   = string
    load_balancer_subnet_ids = list(string)
    load_balancer_zones      = list(string)
    instance_subnet_ids      = list(string)
    instance_zones           = list(string)
  })

  validation {
    condition     = length(distinct(var.network.load_balancer_zones)) == length(var.network.load_balancer_zones)
    error_message = "Name one subnet for each zone as existing_network.load_balancer_subnet_ids: a load balancer accepts only one subnet per zone."
  }

  validation {
    condition     = length(distinct(var.network.instance_zones)) >= 2
    error_message = "Name subnets of two zones or more as existing_network.instance_subnet_ids: a failure of a single zone would stop the storefront."
  }
}

variable "load_balancer" {
  description = "How customers reach the load balancer. Without a certificate it serves plain HTTP."
  type = object({
    allowed_cidrs       = list(string)
    certificate_arn     = optional(string)
    access_log_bucket   = optional(string)
    deletion_protection = bool
    web_acl_arn         = optional(string)
  })
}

variable "instance" {
  description = "How each web server is created, and how many there are."
  type = object({
    min_size                 = number
    max_size                 = number
    permissions_boundary_arn = optional(string)

    image_id         = string
    root_device_name = string
    type             = string
    user_data        = string
    has_public_ip    = bool
    http_port        = number
    idle_timeout     = number # seconds
  })

  validation {
    condition     = length(var.instance.user_data) <= 16 * 1024
    error_message = "The user data exceeds EC2's limit of 16 KiB. Shorten templates/user_data.sh.tftpl."
  }
}

variable "alarms" {
  description = "The topic that receives alarms, if any, and the address of the runbook."
  type = object({
    topic_arn   = optional(string)
    runbook_url = string
  })
}
