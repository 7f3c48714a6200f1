"""This machine and the programs on it, as a person would use them.

shell               a bash, typed into; `typed_commands`, what a document tells people to type there
orders_command      the operator's tool, as it is installed
preloaded_commands  it and the AWS CLI, many times over without their start
debian              a Debian system in a folder
"""
