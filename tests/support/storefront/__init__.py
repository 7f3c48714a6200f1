"""The servers of the storefront.

server      `make run`'s, as a module
web_server  EC2's Apache, in a Debian system in a folder
agent       a signed package in place of Session Manager's agent
"""
