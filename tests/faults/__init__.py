"""`make fault-test`: run the deployed backend under seeded faults and account for every order.

For each seed, clients place orders while faults are injected. Then the faults end, dead letters are redriven as an
operator would, and each order is counted: lost, duplicated, stored, announced. The seed decides the orders and faults;
threads and processes interleave differently in each run. The product is not changed: the functions reach the proxy
through the SDK's endpoint variables.

    fault_types     the faults
    plan            the orders and faults of a seed
    proxy           between the functions and AWS; request_faults decides what happens to each request
    disruptions     faults of the deployment itself
    load            the clients
    ledger          what was sent, what was found, and the broken promises
    run             one seed from its plan to its result
"""
