"""`make fault-test`: run the deployed backend under seeded faults and account for every order.

For each seed, clients place orders while faults are injected. Then the faults end, dead letters are redriven, and each
order is counted as lost, duplicated, stored or announced. The seed determines the orders and faults; threads and
processes interleave differently in each run. The product is not changed: the SDK's endpoint variables make the
functions use the proxy.
"""
