"""Run programs as a person does.

shell               a bash, and the commands of a document run in it
orders_command      the installed operator tool
preloaded_commands  the operator tool and the AWS CLI, without their start-up time
debian              a Debian system in a folder
"""
