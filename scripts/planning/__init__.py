"""How much a deployment takes and what it costs: `orders-plan capacity` and `orders-plan cost`, without an AWS account.

Everything here is computed from the deployment's settings, AWS's documented limits and a dated price
table; each number names where it is from. The commands are `planning.capacity_command.capacity` and
`planning.cost_command.cost`, which the operator's tool takes in; by themselves they run as
`python -m planning`.
"""
