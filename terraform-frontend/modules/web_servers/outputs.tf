output "load_balancer" {
  description = "The load balancer, for the DNS record."
  value       = aws_lb.storefront
}

output "autoscaling_group_name" {
  description = "Name of the group that serves now. Each release has its own."
  value       = aws_autoscaling_group.storefront.name
}
