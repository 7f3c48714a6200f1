# Each list of subnets depends on its routes: a load balancer needs the internet gateway, and an instance needs internet
# access when it starts.

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.storefront.id
}

output "zones" {
  description = "Zones of the subnets."
  value       = local.zones
}

output "public_subnet_ids" {
  description = "Subnets with a route to the internet gateway."
  value       = values(aws_subnet.public)[*].id

  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "private_subnet_ids" {
  description = "Subnets with a route to a NAT gateway."
  value       = values(aws_subnet.private)[*].id

  depends_on = [aws_route.nat, aws_route_table_association.private]
}
