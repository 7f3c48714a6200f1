"""`make bench`: cold starts and throughput, each compared with a baseline from the same run.

A baseline is the least code that does the same job: boto3 with one client, a function that only sends, a function that
only puts. System and baseline are measured in turn, so a busy machine slows both. What does not depend on the machine
is checked by `tests/integration/test_performance.py`.
"""
