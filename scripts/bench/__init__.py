"""`make bench`: cold starts and throughput, each compared with a baseline from the same run.

A baseline is the minimal code for the same job: boto3 with one client, a function that only sends, or a function that
only puts. System and baseline are measured in turn, so a busy machine slows both. Performance that does not depend on
the machine is checked by `tests/integration/test_performance.py`.
"""
