# What the other tier, the DNS and the operator need.

################################################################################
# Load balancer
################################################################################

output "storefront_url" {
  description = "Address of the storefront as a browser sends it as origin, without a slash at the end: the backend's cors_allowed_origins."
  value       = local.storefront_url
}

output "load_balancer_dns_name" {
  description = "The load balancer's own name, for domain_name to lead to."
  value       = aws_lb.storefront.dns_name
}

output "load_balancer_zone_id" {
  description = "The load balancer's hosted zone, for an alias record in a DNS zone that is not made here."
  value       = aws_lb.storefront.zone_id
}

################################################################################
# Web servers
################################################################################

output "autoscaling_group_name" {
  description = "Group of the web servers, for `aws autoscaling describe-instance-refreshes` after a change."
  value       = aws_autoscaling_group.storefront.name
}
