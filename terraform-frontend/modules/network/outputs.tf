output "network" {
  description = "The network, its subnets, and the zones of the subnets in the same order."
  value = {
    vpc_id                   = aws_vpc.storefront.id
    load_balancer_subnet_ids = values(aws_subnet.public)[*].id
    load_balancer_zones      = local.zones
    instance_subnet_ids      = var.network.has_private_subnets ? values(aws_subnet.private)[*].id : values(aws_subnet.public)[*].id
    instance_zones           = local.zones
  }

  # A load balancer needs the internet gateway, and an instance needs internet access when it starts.
  depends_on = [aws_route.internet, aws_route.nat, aws_route_table_association.private, aws_route_table_association.public]
}
