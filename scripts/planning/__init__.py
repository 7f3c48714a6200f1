"""`orders-plan`: the capacity and the monthly cost of a deployment."""
