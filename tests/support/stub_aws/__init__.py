"""Stubs of AWS for behavior that the emulator does not have.

events          events that AWS sends to the functions
sqs, logs       these services in memory, as far as the operator tool uses them; they fail on request
command_line    the AWS CLI up to its first call
patience        how long the functions wait for an unresponsive AWS
"""
