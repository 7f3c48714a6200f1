"""`make fault-test`: run the deployed backend under seeded faults and account for every order.

For each seed, clients place orders while faults are injected. Then the faults end, dead letters are redriven, and each
order is counted as lost, duplicated, stored or announced. The seed determines the orders and faults; threads and
processes interleave differently in each run. The product is not changed: the SDK's endpoint variables make the
functions use the proxy.

    fault_types     the faults
    plan            the orders and faults of a seed
    proxy           between the functions and AWS; request_faults decides what happens to each request
    disruptions     faults of the deployment itself
    load            the clients
    ledger          what was sent, what was found, and the broken promises
    run             one seed from its plan to its result
"""
