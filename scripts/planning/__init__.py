"""`orders-plan`: how many orders a deployment can take, and what it costs per month."""
