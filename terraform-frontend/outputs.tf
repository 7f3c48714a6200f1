# What the other tier, the DNS and the operator need.

# --- Load balancer ---

output "storefront_url" {
  description = "Address of the storefront as a browser sends it as origin, without a slash at the end: the backend's cors_allowed_origins."
  value       = local.storefront_url
}

output "load_balancer_dns_name" {
  description = "The load balancer's own name, for domain_name to lead to."
  value       = module.web_servers.load_balancer.dns_name
}

output "load_balancer_zone_id" {
  description = "The load balancer's hosted zone, for an alias record in a DNS zone that is not made here."
  value       = module.web_servers.load_balancer.zone_id
}

# --- Web servers ---

output "autoscaling_group_name" {
  description = "The Auto Scaling group of the web servers that serve now. Each release has its own."
  value       = module.web_servers.autoscaling_group_name
}
