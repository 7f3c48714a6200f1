variable "prefix" {
  description = "First part of every name."
  type        = string
}

variable "network" {
  description = "cidr_block is divided into sixteen ranges, eight for public and eight for private subnets. Without availability_zones, the first two zones of the region that offer instance_type are used. Private subnets have a NAT gateway per zone. Flow logs exist only with flow_log_retention_days."
  type = object({
    cidr_block               = string
    availability_zones       = optional(list(string))
    instance_type            = string
    has_private_subnets      = bool
    flow_log_retention_days  = optional(number)
    permissions_boundary_arn = optional(string)
  })
}
