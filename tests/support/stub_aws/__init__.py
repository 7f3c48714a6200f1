"""AWS, played by a test itself where no emulator does what the test is about.

events          what AWS hands to the functions
sqs, logs       services as far as the operator's tool uses them, in memory and failing on request
command_line    the AWS CLI up to its first call
patience        how long the functions wait for an AWS that does not answer
"""
