output "load_balancer" {
  description = "DNS name and hosted zone of the load balancer."
  value = {
    dns_name = aws_lb.storefront.dns_name
    zone_id  = aws_lb.storefront.zone_id
  }
}

output "autoscaling_group_name" {
  description = "Name of the group that serves now. Each release has its own."
  value       = aws_autoscaling_group.storefront.name
}
