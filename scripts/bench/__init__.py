"""How fast and how small it is: `make bench`. Every figure stands beside a floor, measured in the same run.

A floor is the least that does the same job: boto3 with one client, a function that only sends, a function
that only puts. Floor and system are measured in turn, so that a busy machine slows both and their ratio
stays. What does not depend on the machine at all is held by `tests/integration/test_performance.py`.
"""
