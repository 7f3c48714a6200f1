# Values for the backend, DNS and operators.

output "storefront_url" {
  description = "Address of the storefront, which a browser sends as origin, without a trailing slash. Use it in the backend's cors_allowed_origins."
  value       = "${local.is_https ? "https" : "http"}://${coalesce(var.domain_name, module.web_servers.load_balancer.dns_name)}"
}

output "load_balancer_dns_name" {
  description = "DNS name of the load balancer. Point domain_name to it."
  value       = module.web_servers.load_balancer.dns_name
}

output "load_balancer_zone_id" {
  description = "Hosted zone ID of the load balancer, for an alias record in another DNS zone."
  value       = module.web_servers.load_balancer.zone_id
}

output "autoscaling_group_name" {
  description = "Name of the Auto Scaling group that serves now. Each release has its own."
  value       = module.web_servers.autoscaling_group_name
}
