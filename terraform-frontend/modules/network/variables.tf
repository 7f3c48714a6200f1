variable "prefix" {
  description = "First part of every name."
  type        = string
}

variable "cidr_block" {
  description = "Addresses of the network: sixteen ranges, eight for public subnets and eight for private ones."
  type        = string
}

variable "availability_zones" {
  description = "Zones to use. Null takes the first two of the region that offer instance_type."
  type        = list(string)
  default     = null
}

variable "instance_type" {
  description = "Instance type that every zone must offer."
  type        = string
}

variable "has_private_subnets" {
  description = "Whether to create private subnets with a NAT gateway in each zone."
  type        = bool
  default     = false
}

variable "flow_log_retention_days" {
  description = "Days to keep flow logs. Null creates none."
  type        = number
  default     = null
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the flow log's role."
  type        = string
  default     = null
}
