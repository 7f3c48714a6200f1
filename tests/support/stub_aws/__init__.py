"""AWS, replaced by the test where the emulator does not do what the test is about.

events          what AWS sends to the functions
sqs, logs       the operator tool's calls of these services, in memory and with failures on request
command_line    the AWS CLI up to its first call
patience        how long the functions wait for an AWS that does not answer
"""
