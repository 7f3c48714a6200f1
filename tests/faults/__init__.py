"""The fault campaign: the deployed system under seeded faults, and a count of what became of every order.

`make fault-test` is this package as a program (`__main__.py`). For each seed it submits orders by HTTP from several
clients while faults are injected, lets the faults end, puts everything that failed back as an operator would, and
counts in the words of Jepsen (https://jepsen.io): attempted, acknowledged, indeterminate, stored, lost, duplicated, …

    plan        what a seed means: its orders and its kinds of faults
    wire        the proxy between the functions and the AWS APIs, and `wire_faults`, what it does to a request
    disruptions what is done to the deployment itself
    load        the clients
    ledger      what was sent and what was found, and the verdict
    run         one seed from its plan to its verdict

Nothing of it is in the product: the functions reach the proxy by the SDK's own endpoint settings. The choice of faults
is the seed's, so it is the same every time; how threads and processes interleave is the machine's.
"""
